"""Findings of the audit, their severity, and the list of all checks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["spoils a result", "worth a look", "note"]
SEVERITIES: tuple[Severity, ...] = ("spoils a result", "worth a look", "note")

CHECKS: dict[str, tuple[str, str]] = {
    "missing": ("in the table but not on disk", "restore the file, or remove its row"),
    "unreadable": ("cannot be decoded", "replace the file, or quarantine it"),
    "truncated": ("shorter than its header says", "download the file again, or quarantine it"),
    "empty": ("contains no samples", "download the file again, or quarantine it"),
    "not-numbers": ("contains NaN or infinity", "export the file again, or quarantine it"),
    "implausible": ("samples far too large for audio", "export the file again, or quarantine it"),
    "silent": ("nothing above -80 dBFS except a constant offset", "quarantine it: nothing in it matches its label"),
    "cancels": ("the channels cancel in their mean", "set dataset.mono to left, or invert one channel"),
    "contradiction": ("the same sound with different labels", "choose one label, or quarantine all copies"),
    "other-known": ("a sound of no class that is also a clip", "remove it from dataset.other, or correct the label"),
    "leak": ("one recording on both sides of a fold border", "put all clips of a recording into one fold"),
    "cuts": ("names that look like cuts of one recording", "name the recordings, so that a split keeps them together"),
    "duplicate": ("identical samples", "quarantine the later copies"),
    "near-duplicate": ("the same recording twice", "quarantine the later copies, or give them one fold or source"),
    "band-limit": (
        "a class with a bandwidth of its own",
        "resample all clips to the lowest rate, or set mel_spectrogram.f_max below the limit; "
        "nothing if the sounds themselves end there",
    ),
    "untrained": ("a class that cannot be trained and tested", "add clips, move some, or leave the class out"),
    "label": ("class names that may mean the same class", "use one name for both"),
    "few-clips": ("a class with few clips", "add clips, or read its score with care"),
    "imbalance": ("classes of very different size", "use balanced sampling, or report the mean recall"),
    "level": ("a class louder or softer than the others", "augment with gain, or normalise the level"),
    "length": ("a class longer or shorter than the others", "cut all to one length, or set dataset.pad to repeat"),
    "encoding": ("a class with a format of its own", "re-encode all clips alike"),
    "clipped": ("clipped at full scale", "record again at a lower level, or leave it as it is"),
    "overload": ("samples far beyond full scale", "scale the file to between -1 and 1"),
    "dc-offset": ("the waveform is not centred on zero", "subtract the mean"),
    "dead-channel": ("one channel is silent", "set dataset.mono to loudest"),
    "duration": ("much longer or shorter than the rest", "check how it was cut"),
    "stray-sound": ("a sound file missing from the table", "add it to the table, or remove it"),
    "mostly-silent": ("more than four fifths silence", "trim it, or set dataset.pad to repeat"),
    "overlap": ("overlapping clips of one recording", "nothing: they are on the same side of every split"),
    "same-channels": ("identical channels", "nothing: their mean is the sound"),
    "rates": ("several sample rates", "nothing: all clips are resampled; see band-limit"),
    "formats": ("several formats", "nothing, unless a class has a format of its own"),
    "stray-file": ("a file that is not a sound", "nothing, or remove it"),
}
"""Name of each check: what it finds, and what to do about it. The most severe checks come first."""

OF_CLASSES = frozenset({"band-limit", "untrained", "label", "few-clips", "imbalance", "level", "length", "encoding"})
"""Checks whose findings are about a class as a whole, not about single clips."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of a check."""

    check: str
    severity: Severity
    clips: tuple[str, ...]
    """Clip ids, or file names below the root; empty for a finding about the whole table."""
    message: str
    """One line with the numbers."""
    numbers: Mapping[str, float | int | str] = field(default_factory=dict)
    weight: float = 0.0
    """Findings of the same check and severity are sorted by weight, the largest first."""
    quarantine: Mapping[str, str] = field(default_factory=dict)
    """Clips that can be left out without harm to the rest, with the reason."""
    class_name: str | None = None
    """For a finding about a class: its name."""

    @property
    def title(self) -> str:
        """What the check looks for."""
        return CHECKS[self.check][0]

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return CHECKS[self.check][1]


def sort_findings(findings: list[Finding]) -> tuple[Finding, ...]:
    """By severity, then by check, then by weight."""
    checks = list(CHECKS)
    return tuple(
        sorted(findings, key=lambda f: (SEVERITIES.index(f.severity), checks.index(f.check), -f.weight, f.clips))
    )
