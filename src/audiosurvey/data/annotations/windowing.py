"""Windows of equal length over a recording, each with the labels of the events in it: `dataset.windows`.

In: the events of a recording and its length. Out: windows in the order of time. A pure function of these.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Annotated

from pydantic import Field

from audiosurvey.data.annotations.annotation import Annotation
from audiosurvey.randomness import stream
from audiosurvey.section import Section

_ROUNDING_S = 1e-9
"""Less than a sample, and more than the rounding of times."""


class WindowsConfig(Section):
    """Cuts recordings with annotated events into windows, each with the labels of all events in it. Windows do
    not extend beyond the recording, and the last one ends with it. A recording shorter than a window is one window."""

    seconds: Annotated[float, Field(gt=0, le=300)]
    """Length of a window in seconds."""
    hop: Annotated[float, Field(gt=0)] | None = None
    """Seconds from the start of one window to the next. null: `seconds`, so that windows do not overlap."""
    min_overlap: Annotated[float, Field(gt=0, le=1)] = 0.5
    """A window gets the label of an event if they overlap by at least this fraction of the event (of the window, if the
    event is longer)."""
    negatives: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Fraction of the windows without labels that are kept; drawn for each window with a fixed seed."""

    def resolved_hop(self) -> float:
        """Seconds from window to window."""
        return self.seconds if self.hop is None else self.hop


@dataclass(frozen=True, slots=True)
class LabelledWindow:
    """A segment of a recording and its labels."""

    begin: int
    """Its first frame."""
    end: int
    """The frame after its last."""
    labels: tuple[str, ...]
    """Sorted."""


def label_windows(
    recording: str, events: Iterable[Annotation], frames: int, sample_rate: int, how: WindowsConfig
) -> list[LabelledWindow]:
    """The windows of a recording of `frames` at `sample_rate`: those with labels, and the drawn share of the others.

    `recording`: its name, which decides the draw. Window n begins n hops after the start, rounded up to a frame.
    """
    begins, length, starts_s, ends_s = _places(frames, sample_rate, how)
    labels: list[set[str]] = [set() for _ in begins]
    for event in events:
        for place in range(bisect_right(ends_s, event.start_s), bisect_left(starts_s, event.end_s)):
            overlap_s = min(ends_s[place], event.end_s) - max(starts_s[place], event.start_s)
            shorter_s = min(ends_s[place] - starts_s[place], event.seconds)
            if overlap_s >= how.min_overlap * shorter_s - _ROUNDING_S:
                labels[place].add(event.label)
    # A draw for every window: an event more or less changes nothing for the others.
    drawn = stream(0, "negatives", recording).random(len(begins)) < how.negatives
    return [
        LabelledWindow(begin, begin + length, tuple(sorted(found)))
        for begin, found, kept in zip(begins, labels, drawn, strict=True)
        if found or kept
    ]


def _places(frames: int, sample_rate: int, how: WindowsConfig) -> tuple[list[int], int, Sequence[float], list[float]]:
    """The first frame of each window, their length in frames, and the start and end of each in seconds.

    The seconds are not rounded to frames, so that labels do not depend on the sample rate.
    """
    # As decimals: 0.1 s is a tenth, not the nearest binary number.
    window, hop = Fraction(str(how.seconds)), Fraction(str(how.resolved_hop()))
    total = Fraction(frames, sample_rate)
    if total <= window:
        return [0], frames, [0.0], [float(total)]
    starts = [number * hop for number in range((total - window) // hop + 1)]
    if starts[-1] + window < total:
        starts.append(total - window)
    length = max(1, int(window * sample_rate))
    # A start rounded up and a length rounded down: the end is within a frame too, and before that of the recording.
    begins = [*(ceil(start * sample_rate) for start in starts[:-1]), frames - length]
    return begins, length, [float(start) for start in starts], [float(start + window) for start in starts]
