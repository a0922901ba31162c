"""How a model finds events in long recordings: windows, smoothing, and the scores at which events begin and end.

The settings are part of model.json, under `detection`; a model without them has the default ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

DEFAULT_ON = 0.5
MEASURES = ("event_f1", "segment_f1", "false_alarms_an_hour")
"""What is stored of how well events were found."""


@dataclass(frozen=True, slots=True)
class DetectionSettings:
    """The settings of `predict` for sounds that are longer than 30 s."""

    window_s: float
    """Length of a window in seconds."""
    hop_s: float
    """Seconds from window to window."""
    smooth: int = 1
    """Number of windows to average scores over; odd."""
    on: float = DEFAULT_ON
    """Score at which an event begins."""
    off: float | None = None
    """Score down to which it continues; None: as long as it could begin."""
    labels: Mapping[str, float] = field(default_factory=dict, hash=False)
    """Scores at which events of single labels begin, in place of `on`."""
    tuned_on: str | None = None
    """The recordings that the settings were chosen with; None: they are the default."""
    background: bool = False
    """Whether the background of a recording, that is what it sounds like most of the time, is removed from the scores
    (`predict.background`)."""
    measured: Mapping[str, float | None] = field(default_factory=dict, hash=False)
    """What such settings are worth on recordings that had no part in the choice, by `MEASURES`; empty if unknown."""

    @classmethod
    def default(cls, window_s: float) -> "DetectionSettings":
        """Those of a model with windows of this length: every stretch is in two of them, and what no class is likely
        to explain is no event."""
        return cls(window_s, window_s / 2)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "DetectionSettings":
        """From model.json; settings of later versions that are not known here are ignored."""
        known = {one.name for one in fields(cls)}
        return cls(**{name: value for name, value in stored.items() if name in known})

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def margin_s(self) -> float:
        """Half of the overlap of neighbouring windows; 0 without one."""
        return max(0.0, self.window_s - self.hop_s) / 2

    def threshold(self, labels: Sequence[str]) -> float | dict[str, float]:
        """The score at which an event begins: one for all labels, or one for each."""
        return {label: self.labels.get(label, self.on) for label in labels} if self.labels else self.on

    @property
    def of_windows(self) -> str:
        """`windows of 5 s every 2.5 s`."""
        return f"windows of {self.window_s:.3g} s every {self.hop_s:.3g} s"

    def __str__(self) -> str:
        smooth = f", smoothed over {self.smooth}" if self.smooth > 1 else ""
        removed = ", background removed" if self.background else ""
        down = f" down to {self.off:.2g}" if self.off is not None else ""
        own = f" ({', '.join(f'{label} {on:.2g}' for label, on in self.labels.items())})" if self.labels else ""
        return f"{self.of_windows}{removed}{smooth}; events from a score of {self.on:.2g}{own}{down}"

    @property
    def worth(self) -> str:
        """`; event F1 0.82, segment F1 0.79 on 20 recordings (events.csv)`: what was measured, if anything was."""
        event, segment = self.measured.get("event_f1"), self.measured.get("segment_f1")
        if event is None or segment is None:
            return ""
        return f"; event F1 {event:.2f}, segment F1 {segment:.2f} on {self.tuned_on}"
