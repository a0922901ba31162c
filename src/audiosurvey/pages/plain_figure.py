"""The figure that every picture is drawn on: text is drawn as it is, never parsed as mathematics.

Matplotlib reads text between two `$` as a formula and fails where it is not one. Names of files and classes may hold
any character, so all text of a figure is taken literally.
"""

import warnings
from typing import Any

from matplotlib.figure import Figure
from matplotlib.text import Text


def drawable(text: str) -> str:
    """`text` without bytes that are not valid UTF-8, which fonts cannot draw: they become escapes.

    Figures do this to their own text; tick labels are kept elsewhere too and have to be passed through this first.
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
