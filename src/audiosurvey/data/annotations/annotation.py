"""An event in a recording, and the recordings whose events are known."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Annotation:
    """One label from one time to another, in seconds from the start of the recording."""

    label: str
    start_s: float
    end_s: float

    @property
    def seconds(self) -> float:
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class AnnotatedRecording:
    """A recording with all of its events."""

    path: Path
    events: tuple[Annotation, ...]
    """In the order of their starts; empty for a recording without events."""
