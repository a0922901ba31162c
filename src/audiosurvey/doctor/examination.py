"""The audit itself: one pass over the clips of a table, then every check.

Enters: a `dataset` section, or a table of a bare folder. Leaves: a `Diagnosis`. Memory grows by about 10 kB a clip, and
not with the length of the recordings.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from audiosurvey.data.audio.decoding import Mono
from audiosurvey.data.dataset import DatasetConfig, load_table
from audiosurvey.data.readahead import cpu_count
from audiosurvey.data.readahead import in_order as in_order_of
from audiosurvey.data.sets.ignore import fits
from audiosurvey.data.table import Table
from audiosurvey.doctor.classes import counts, names, shortcuts
from audiosurvey.doctor.duplicates import leaks, twins
from audiosurvey.doctor.facts import Broken, Facts, listen
from audiosurvey.doctor.finding import SEVERITIES, Finding, Severity, in_order
from audiosurvey.doctor.singles import broken, far_lengths, mixtures, single
from audiosurvey.doctor.strays import strays
from audiosurvey.errors import UserError

Progress = Callable[[int, int], None]
_HARMLESS: dict[Mono, tuple[str, ...]] = {"mean": (), "left": ("cancels",), "loudest": ("cancels", "dead-channel")}
"""Checks that have no say, by the way in which channels become one."""


@dataclass(frozen=True)
class Diagnosis:
    """What the audit found."""

    table: Table
    facts: Mapping[str, Facts]
    """Of the clips that can be read, by id."""
    findings: tuple[Finding, ...]
    """The gravest first."""

    def of(self, severity: Severity) -> list[Finding]:
        return [finding for finding in self.findings if finding.severity == severity]

    @property
    def counts(self) -> dict[Severity, int]:
        """Findings by severity."""
        return {severity: len(self.of(severity)) for severity in SEVERITIES}

    @property
    def spoilt(self) -> bool:
        """Whether something was found that would spoil a result."""
        return any(finding.severity == "spoils a result" for finding in self.findings)

    def quarantine(self) -> tuple[dict[str, str], list[str]]:
        """Clips that may be left out without harm to the rest, with reasons; and what was kept in spite, in lines.

        A class never goes as a whole: all its clips stay then, and a line says so.
        """
        reasons: dict[str, str] = {}
        for finding in self.findings:
            for clip_id, reason in finding.drop.items():
                reasons.setdefault(clip_id, reason)
        kept: list[str] = []
        for label, name in enumerate(self.table.classes):
            members = [clip.id for clip in self.table.clips if label in clip.labels]
            if members and all(member in reasons for member in members):
                kept.append(f"class '{name}': all its {len(members)} clips would go, so none does; see what befell it")
                reasons = {clip_id: reason for clip_id, reason in reasons.items() if clip_id not in members}
        unfit = [clip_id for clip_id in reasons if not fits(clip_id)]
        kept += [f"{clip_id!r}: its name cannot stand in a list of lines; rename the file" for clip_id in unfit]
        return {clip_id: reason for clip_id, reason in reasons.items() if clip_id not in unfit}, kept


def examine(
    config: DatasetConfig, *, top_hz: float | None = None, workers: int | None = None, progress: Progress | None = None
) -> Diagnosis:
    """The audit of a data set. `top_hz`: the highest frequency that the network hears (None: all).

    Errors: `UserError` for data that is not there or a table that cannot be read.
    """
    table = load_table(config, divide=False)
    everything = {"classes": None, "exclude_classes": None, "ignore": None, "subset": None}
    whole = load_table(config.model_copy(update=everything), divide=False)
    more = [*counts(table, config.num_folds), *strays(whole)]
    return examine_table(table, more, top_hz, workers, progress, _HARMLESS[config.mono])


def examine_table(
    table: Table,
    more: list[Finding],
    top_hz: float | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
    allowed: tuple[str, ...] = (),
) -> Diagnosis:
    """The audit of a table; `more`: findings that are known already; `allowed`: checks that have no say."""
    if not table.clips:
        raise UserError(f"{table.root.as_posix()}: the table has no clips")
    threads = workers or min(cpu_count(), 16)
    facts: dict[str, Facts] = {}
    findings = list(more)
    heard = in_order_of(listen, table.clips, workers=threads, ahead=2 * threads)
    with contextlib.closing(heard):
        for done, (clip, found) in enumerate(zip(table.clips, heard, strict=True), 1):
            if isinstance(found, Broken):
                findings.append(broken(clip.id, found))
            else:
                facts[clip.id] = found
                findings += single(clip.id, found)
            if progress:
                progress(done, len(table.clips))
    findings += _of_the_whole(table, facts, threads, top_hz)
    return Diagnosis(table, facts, in_order([finding for finding in findings if finding.check not in allowed]))


def _of_the_whole(table: Table, facts: Mapping[str, Facts], threads: int, top_hz: float | None) -> Iterator[Finding]:
    yield from far_lengths(facts)
    yield from mixtures(facts)
    yield from leaks(table)
    yield from twins(table, facts, threads)
    yield from names(table)
    yield from shortcuts(table, facts, top_hz)


def as_json(diagnosis: Diagnosis, *, clips: bool = False) -> dict[str, Any]:
    """The form of `doctor --json`; `clips`: with the facts of every clip."""
    table, facts = diagnosis.table, diagnosis.facts
    value: dict[str, Any] = {
        "schema": 1,
        "dataset": {
            "name": table.name,
            "subset": table.subset,
            "root": table.root.as_posix(),
            "clips": len(table.clips),
            "readable": len(facts),
            "hours": round(sum(found.seconds for found in facts.values()) / 3600, 4),
            "classes": list(table.classes),
            "folds": list(table.folds),
            "sample_rates": {str(rate): n for rate, n in Counter(f.sample_rate for f in facts.values()).items()},
            "formats": dict(Counter(found.form for found in facts.values())),
            "ignored": [{"clip": left.id, "reason": left.reason} for left in table.ignored],
            "notes": list(table.notes),
        },
        "spoilt": diagnosis.spoilt,
        "counts": diagnosis.counts,
        "findings": [
            {
                "check": finding.check,
                "severity": finding.severity,
                "message": finding.message,
                "mend": finding.mend,
                "clips": list(finding.clips),
                "numbers": dict(finding.numbers),
                "quarantine": dict(finding.drop),
            }
            for finding in diagnosis.findings
        ],
    }
    if clips:
        value["clips"] = {clip_id: _facts_as_json(found) for clip_id, found in facts.items()}
    return value


def _facts_as_json(facts: Facts) -> dict[str, object]:
    return {
        "format": facts.format,
        "subtype": facts.subtype,
        "sample_rate": facts.sample_rate,
        "channels": facts.channels,
        "seconds": round(facts.seconds, 4),
        "digest": facts.digest,
        "peak": round(facts.peak, 5),
        "level_db": None if facts.silent else round(facts.level_db, 2),
        "silent_share": round(facts.silent_share, 4),
        "clipped_share": round(facts.clipped_share, 5),
        "dc": round(facts.dc, 5),
        "bandwidth_hz": round(facts.bandwidth_hz),
    }
