"""The range of recording conditions of the training clips, and notes on sounds outside it."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from audiosurvey.data.audio.measures import Measures

Span = tuple[float, float]
"""1st and 99th percentile."""

_LEVEL_DB = 3.0
_BANDWIDTH_SHARE = 0.1
_LENGTH_SHARE = 0.01
_SNR_DB = 6.0
"""Margins outside the span before a note is made."""
_ALMOST_SILENT_DB = 40.0
_SILENT = "digital silence"


@dataclass(frozen=True, slots=True)
class TrainingRange:
    """Spans over the training clips as the network received them: augmented, at most one window of each."""

    clips: int
    """Number of clips measured."""
    level_db: Span | None
    bandwidth_hz: Span | None
    seconds: Span | None
    snr_db: Span | None
    """A span is None if no clip has the value."""

    @classmethod
    def of(cls, measures: Sequence[Measures], whole_s: Sequence[float]) -> "TrainingRange":
        """`whole_s`: how much of each clip fits into a window. With shorter sections in training, the span of lengths
        reaches from the shortest section to the longest window."""
        longest_s = [max(one.seconds, whole) for one, whole in zip(measures, whole_s, strict=True)]
        shortest, longest = _span([one.seconds for one in measures]), _span(longest_s)
        return cls(
            clips=len(measures),
            level_db=_span([one.level_db for one in measures]),
            bandwidth_hz=_span([one.bandwidth_hz for one in measures]),
            seconds=None if shortest is None or longest is None else (shortest[0], longest[1]),
            snr_db=_span([one.snr_db for one in measures]),
        )

    def as_json(self) -> dict[str, Any]:
        """The entry `training_range` of model.json."""
        return asdict(self)

    @classmethod
    def from_json(cls, entry: Any) -> "TrainingRange | None":
        """None for a model without a range, such as one of an older version."""
        if not isinstance(entry, dict):
            return None
        spans = {name: entry.get(name) for name in ("level_db", "bandwidth_hz", "seconds", "snr_db")}
        return cls(entry.get("clips", 0), **{name: _pair(span) for name, span in spans.items()})

    def notes(self, measures: Measures, *, cut: bool = False) -> list[str]:
        """How a sound differs from the training clips, a text for each measure outside the range.

        `cut`: it is a window of a longer sound, whose length says nothing about the recording.
        """
        if measures.level_db is None:
            return [_SILENT]
        checks: list[tuple[Callable[[float, Span], str | None], float | None, Span | None]] = [
            (_length_note, measures.seconds, None if cut else self.seconds),
            (_level_note, measures.level_db, self.level_db),
            (_bandwidth_note, measures.bandwidth_hz, self.bandwidth_hz),
            (_snr_note, measures.snr_db, self.snr_db),
        ]
        notes = [check(value, span) for check, value, span in checks if value is not None and span is not None]
        return [note for note in notes if note is not None]


def _length_note(seconds: float, span: Span) -> str | None:
    # A longer sound is cut into windows, so that only a shorter one differs.
    if seconds >= span[0] * (1 - _LENGTH_SHARE):
        return None
    return f"{seconds:.3g} s long; training clips lasted {span[0]:.3g} s or more"


def _level_note(level_db: float, span: Span) -> str | None:
    low, high = span
    if level_db < low - _LEVEL_DB:
        almost = "almost silent: " if level_db < low - _ALMOST_SILENT_DB else ""
        return f"{almost}{low - level_db:.0f} dB softer than the training clips"
    if level_db > high + _LEVEL_DB:
        return f"{level_db - high:.0f} dB louder than the training clips"
    return None


def _bandwidth_note(bandwidth_hz: float, span: Span) -> str | None:
    low, high = span
    if bandwidth_hz < low * (1 - _BANDWIDTH_SHARE):
        return f"band-limited to {_hertz(bandwidth_hz)}; training clips reach {_hertz(low)} or more"
    if bandwidth_hz > high * (1 + _BANDWIDTH_SHARE):
        return f"reaches {_hertz(bandwidth_hz)}; training clips are band-limited to {_hertz(high)}"
    return None


def _snr_note(snr_db: float, span: Span) -> str | None:
    low, high = span
    if snr_db < low - _SNR_DB:
        return f"noisy: {snr_db:.0f} dB between loud and quiet parts; training clips have {low:.0f} dB or more"
    if snr_db > high + _SNR_DB:
        return f"clean: {snr_db:.0f} dB between loud and quiet parts; training clips have {high:.0f} dB at most"
    return None


def _hertz(hertz: float) -> str:
    return f"{hertz / 1000:.2g} kHz" if hertz >= 1000 else f"{hertz:.0f} Hz"


def _span(values: Sequence[float | None]) -> Span | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    low, high = np.percentile(known, (1, 99))
    return round(float(low), 3), round(float(high), 3)


def _pair(span: Any) -> Span | None:
    if isinstance(span, (list, tuple)) and len(span) == 2 and all(isinstance(end, (int, float)) for end in span):
        return float(span[0]), float(span[1])
    return None
