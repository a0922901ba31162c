"""Charts as plain data in the pixels of an SVG, drawn by the macro `chart` of `charts.html`."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

WIDTH, HEIGHT = 440, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 12, 42
Kind = Literal["a", "b", "faint-a", "faint-b", "guide"]
"""Classes of lines and dots: colours a and b, thin ones for single folds, and dashed guides."""


@dataclass(frozen=True)
class Line:
    points: Sequence[tuple[float, float]]
    """In the units of the axes."""
    kind: Kind
    name: str = ""
    """Its entry in the legend, if any."""


@dataclass(frozen=True)
class Dot:
    x: float
    y: float
    kind: Kind
    title: str
    """What a pointer over it shows."""
    low: float | None = None
    """Ends of an interval of y."""
    high: float | None = None
    radius: float = 4


@dataclass(frozen=True)
class Axis:
    """An axis with its label, limits and ticks."""

    label: str
    low: float
    high: float
    ticks: Sequence[float]

    @classmethod
    def around(
        cls,
        label: str,
        values: Sequence[float],
        *,
        low: float | None = None,
        high: float | None = None,
        whole: bool = False,
    ) -> "Axis":
        """A linear axis around these values with round ticks; `whole`: at whole numbers only."""
        from matplotlib.ticker import MaxNLocator

        finite = [value for value in values if math.isfinite(value)] or [0.0]
        least, most = min(finite) if low is None else low, max(finite) if high is None else high
        if most <= least:
            least, most = least - 0.5, most + 0.5
        found = list(map(float, MaxNLocator(5, integer=whole, steps=[1, 2, 2.5, 5, 10]).tick_values(least, most)))
        least = found[0] if low is None and not whole else least
        most = found[-1] if high is None and not whole else most
        return cls(label, least, most, [tick for tick in found if least - 1e-9 <= tick <= most + 1e-9])

    def share(self, value: float) -> float:
        """Where a value lies, from 0 at the low end to 1 at the high end."""
        return (value - self.low) / (self.high - self.low)


class Chart:
    """Lines and dots on two axes."""

    width, height = WIDTH, HEIGHT
    left, right, top, bottom = _LEFT, WIDTH - _RIGHT, _TOP, HEIGHT - _BOTTOM

    def __init__(self, title: str, x: Axis, y: Axis, lines: Sequence[Line] = (), dots: Sequence[Dot] = ()) -> None:
        self.title, self.x_label, self.y_label = title, x.label, y.label
        self.x_ticks = [(self._x(x, tick), number(tick)) for tick in x.ticks]
        self.y_ticks = [(self._y(y, tick), number(tick)) for tick in y.ticks]
        self.lines = [(" ".join(f"{self._x(x, a)},{self._y(y, b)}" for a, b in line.points), line) for line in lines]
        # A line of one point would not be drawn.
        points = [Dot(*line.points[0], line.kind, line.name) for line in lines if len(line.points) == 1]
        self.dots = [(self._x(x, dot.x), self._y(y, dot.y), self._ends(y, dot), dot) for dot in (*dots, *points)]
        self.legend = [(line.kind, line.name) for line in lines if line.name]

    def _x(self, axis: Axis, value: float) -> float:
        return round(self.left + axis.share(value) * (self.right - self.left), 1)

    def _y(self, axis: Axis, value: float) -> float:
        within = min(max(axis.share(value), -0.02), 1.02)
        return round(self.bottom - within * (self.bottom - self.top), 1)

    def _ends(self, axis: Axis, dot: Dot) -> tuple[float, float] | None:
        return None if dot.low is None or dot.high is None else (self._y(axis, dot.low), self._y(axis, dot.high))


def number(value: float) -> str:
    """A number for an axis: `0.25`, `20k`, `3.5M`."""
    for scale, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= 10 * scale or (scale > 1e3 and abs(value) >= scale):
            return f"{value / scale:g}{letter}"
    return f"{round(value, 6):g}"
