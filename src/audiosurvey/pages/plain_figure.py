"""A figure whose text is drawn literally, and the colours of all figures.

Matplotlib parses text between two `$` as a formula, but names of files and classes may contain any character.
"""

import warnings
from typing import Any

from matplotlib.figure import Figure
from matplotlib.text import Text

INK = "#1f2933"
BLUE, ORANGE = "#2563a8", "#d97706"


def drawable(text: str) -> str:
    """`text` with bytes that are not valid UTF-8, which fonts cannot draw, escaped.

    `PlainFigure` does this with its text; tick labels have to be passed through it by the caller.
    """
    return text.encode("utf-8", "backslashreplace").decode()


class PlainFigure(Figure):
    """A matplotlib figure whose titles, labels and tick labels are plain text."""

    def draw(self, renderer: Any) -> None:
        for text in self.findobj(Text):
            assert isinstance(text, Text)
            text.set_parse_math(False)
            text.set_text(drawable(text.get_text()))
        with warnings.catch_warnings():
            # A letter that the font lacks is drawn as a box.
            warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from")
            super().draw(renderer)
