"""Matplotlib figures with one style, in which all text is literal.

Text in scripts that the default font lacks is drawn with other installed fonts, or in Latin letters (`fonts.py`).
Matplotlib parses text between two `$` as a formula and fails if it is not one. Names of files and classes may contain
any character.
"""

import io
import warnings
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from audiosurvey.pages.fonts import drawable, families

INK, GRID, GREY = "#1f2933", "#e4e7eb", "#b8c1cc"
BLUE, ORANGE = "#2563a8", "#d97706"


class PlainFigure(Figure):
    """A matplotlib figure whose titles, labels and tick labels are plain text. Notebooks show it."""

    def _repr_png_(self) -> bytes:
        return figure_png(self)

    def draw(self, renderer: Any) -> None:
        for text in self.findobj(Text):
            assert isinstance(text, Text)
            text.set_parse_math(False)
            text.set_text(drawable(text.get_text()))
            if len(fonts := families(text.get_text())) > 1:
                text.set_fontfamily(fonts)
        with warnings.catch_warnings():
            # Marks without a form of their own, such as joiners.
            warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from")
            super().draw(renderer)


def single_axes(width: float, height: float) -> tuple[PlainFigure, Any]:
    """A figure of this size in inches with one pair of axes and a vertical grid."""
    figure = PlainFigure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(length=0, labelsize=8)
    return figure, axes


def figure_png(figure: Figure) -> bytes:
    """The figure as the bytes of a PNG file."""
    file = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(file, dpi=140, format="png")
    return file.getvalue()
