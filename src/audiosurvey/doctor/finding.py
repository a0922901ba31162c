"""What the audit says: findings, how much each matters, and what every check is for.

A check gives findings; a finding names the files, the numbers and the mend. `CHECKS` is the list of all checks, in
the order in which they are shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["spoils a result", "worth a look", "note"]
SEVERITIES: tuple[Severity, ...] = ("spoils a result", "worth a look", "note")


@dataclass(frozen=True, slots=True)
class Check:
    """What a check looks for, in a few words, and what to do where it finds something."""

    title: str
    mend: str


CHECKS: dict[str, Check] = {
    "missing": Check("in the table, not on disk", "bring the file back, or take its row out"),
    "unreadable": Check("cannot be decoded", "replace the file, or quarantine it"),
    "truncated": Check("ends before its header says", "fetch the file again, or quarantine it"),
    "empty": Check("holds no sound at all", "fetch the file again, or quarantine it"),
    "not-numbers": Check("holds NaN or infinity", "export the file again, or quarantine it"),
    "implausible": Check("samples beyond what sound can hold", "export the file again, or quarantine it"),
    "silent": Check("nothing above -80 dBFS but an offset", "quarantine it: its label says what is not there"),
    "cancels": Check("channels cancel in their mean", "set dataset.mono to left, or mend the polarity"),
    "contradiction": Check("the same sound with different labels", "decide for one label, or quarantine all copies"),
    "leak": Check("one recording on both sides of a fold border", "give all clips of a recording one fold"),
    "duplicate": Check("the same samples twice", "quarantine the later copies"),
    "near-duplicate": Check("the same recording twice", "quarantine the later copies, or give them one fold or source"),
    "band-limit": Check("a class ends at a frequency of its own", "resample all to the lowest, or set f_max below it"),
    "untrained": Check("a class that cannot be trained and tested", "add clips, move some, or leave the class out"),
    "label": Check("names of classes that may be one", "give both one name"),
    "few-clips": Check("a class with few clips", "add clips, or read its score with care"),
    "imbalance": Check("classes of very different size", "balance the sampling, or read the mean recall"),
    "level": Check("a class louder or softer than the others", "augment with gain, or normalise the level"),
    "length": Check("a class longer or shorter than the others", "cut all to one length, or set dataset.pad to repeat"),
    "encoding": Check("a class in a format of its own", "re-encode all clips alike"),
    "clipped": Check("tops cut off at full scale", "record again at a lower level, or leave it as it is"),
    "overload": Check("samples far beyond full scale", "scale the file to within -1 and 1"),
    "dc-offset": Check("the wave is not centred on zero", "take the mean off"),
    "dead-channel": Check("one channel is silent", "set dataset.mono to loudest"),
    "duration": Check("much longer or shorter than the rest", "see whether it was cut as the others were"),
    "stray-sound": Check("a sound that the table does not name", "add it to the table, or take it away"),
    "mostly-silent": Check("more than four fifths silence", "trim it, or set dataset.pad to repeat"),
    "overlap": Check("clips of one recording overlap", "nothing: they stay on one side of every split"),
    "same-channels": Check("one channel stored twice", "nothing: the mean of both is the sound"),
    "rates": Check("several sample rates", "nothing: all are resampled; see band-limit"),
    "formats": Check("several formats", "nothing, as long as no class has one of its own"),
    "stray-file": Check("a file that is no sound", "nothing, or take it away"),
}
"""All checks by name, the graver ones first."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found."""

    check: str
    severity: Severity
    clips: tuple[str, ...]
    """Clip ids, or names of files below the root, that it is about; none where it is about the whole table."""
    message: str
    """One line with the numbers."""
    numbers: Mapping[str, float | int | str] = field(default_factory=dict)
    weight: float = 0.0
    """Among findings of one check and severity the larger is shown first."""
    drop: Mapping[str, str] = field(default_factory=dict)
    """Clips that may be left out without harm to the rest, each with the reason."""
    plot: str | None = None
    """For a finding about a class: the name of the class, which a page may draw against the others."""

    @property
    def mend(self) -> str:
        """What to do about it."""
        return CHECKS[self.check].mend


def in_order(findings: list[Finding]) -> tuple[Finding, ...]:
    """The gravest first, then by check, and within a check by weight."""
    checks = list(CHECKS)
    return tuple(
        sorted(findings, key=lambda f: (SEVERITIES.index(f.severity), checks.index(f.check), -f.weight, f.clips))
    )
