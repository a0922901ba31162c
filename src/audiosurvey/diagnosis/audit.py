"""The audit of a data set: one pass over all clips, then every check.

Memory grows by about 40 kB a clip and does not depend on the length of the recordings.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from audiosurvey.data.audio.decoding import Mono
from audiosurvey.data.dataset import DatasetConfig, load_table
from audiosurvey.data.other.reading import is_made, is_other, other_clips
from audiosurvey.data.other.settings import other_section
from audiosurvey.data.readahead import cpu_count, in_order
from audiosurvey.data.sets.ignore import fits
from audiosurvey.data.table import Clip, Table, clips_by_class
from audiosurvey.diagnosis.class_checks import check_class_names, check_class_sizes, check_shortcuts
from audiosurvey.diagnosis.clip_checks import check_clip, check_durations, check_mixed_formats, unreadable_finding
from audiosurvey.diagnosis.clip_profile import ClipProfile, UnreadableClip, profile_clip
from audiosurvey.diagnosis.duplicates import check_cut_names, check_duplicates, check_leaks
from audiosurvey.diagnosis.finding import SEVERITIES, Finding, Severity, sort_findings
from audiosurvey.diagnosis.stray_files import find_stray_files
from audiosurvey.errors import UserError

_IRRELEVANT: dict[Mono, tuple[str, ...]] = {"mean": (), "left": ("cancels",), "loudest": ("cancels", "dead-channel")}
"""Checks that do not matter with this way of mixing down to mono."""
_OF_ANY = ("silent", "mostly-silent")
"""What a sound of no class may be."""


@dataclass(frozen=True)
class Diagnosis:
    """The result of an audit."""

    table: Table
    profiles: Mapping[str, ClipProfile]
    """Of all readable clips, by clip id; also of sounds of no class."""
    findings: tuple[Finding, ...]
    """The most severe first."""
    others: tuple[Clip, ...] = ()
    """The sounds of no class that were audited too (`dataset.other`, without made ones)."""

    def of(self, severity: Severity) -> list[Finding]:
        return [finding for finding in self.findings if finding.severity == severity]

    @property
    def counts(self) -> dict[Severity, int]:
        """Number of findings by severity."""
        return {severity: len(self.of(severity)) for severity in SEVERITIES}

    @property
    def spoilt(self) -> bool:
        """Whether a finding would spoil a result."""
        return bool(self.of("spoils a result"))

    def quarantine(self) -> tuple[dict[str, str], list[str]]:
        """Clips that can be left out without harm to the rest, with reasons; and a line for each exception.

        A class is never left out as a whole: if all its clips qualify, all of them are kept.
        """
        reasons: dict[str, str] = {}
        for finding in self.findings:
            reasons |= {clip: reason for clip, reason in finding.quarantine.items() if clip not in reasons}
        kept: list[str] = []
        members_of = clips_by_class(self.table.clips, len(self.table.classes))
        for name, members in zip(self.table.classes, members_of, strict=True):
            if members and all(member.id in reasons for member in members):
                kept.append(f"class '{name}': all {len(members)} clips are affected; kept, see their findings")
                for member in members:
                    del reasons[member.id]
        unfit = [clip_id for clip_id in reasons if not fits(clip_id)]
        kept += [f"{clip_id!r}: this file name cannot be written to a list; rename the file" for clip_id in unfit]
        return {clip_id: reason for clip_id, reason in reasons.items() if clip_id not in unfit}, kept


def audit_dataset(
    config: DatasetConfig,
    *,
    top_hz: float | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Diagnosis:
    """Audit a data set. `top_hz`: highest frequency that the network receives (None: all).

    Raises UserError if the data is missing or its table cannot be read.
    """
    table = load_table(config, divide=False)
    everything = {"classes": None, "exclude_classes": None, "ignore": None, "subset": None}
    whole = load_table(config.model_copy(update=everything), divide=False)
    more = [*check_class_sizes(table, config.num_folds), *find_stray_files(whole)]
    others = recorded_others(config)
    return audit_table(table, more, top_hz, workers, progress, _IRRELEVANT[config.mono], others)


def recorded_others(config: DatasetConfig) -> tuple[Clip, ...]:
    """The sounds of no class of a data set, without made ones. Raises UserError as `other_clips` does."""
    section = other_section(config.other)
    return (
        () if section is None else tuple(clip for clip in other_clips(section, config.columns) if not is_made(clip.id))
    )


def audit_table(
    table: Table,
    more: list[Finding],
    top_hz: float | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    excluded: tuple[str, ...] = (),
    others: tuple[Clip, ...] = (),
) -> Diagnosis:
    """Audit the clips of a table.

    `more`: findings to include; `progress` receives the clips done and their total; `excluded`: checks whose findings
    are dropped; `others`: sounds of no class, for which silence and a format of their own are no faults. Raises
    UserError for an empty table.
    """
    if not table.clips:
        raise UserError(f"{table.root.as_posix()}: the table has no clips")
    threads = workers or min(cpu_count(), 16)
    profiles: dict[str, ClipProfile] = {}
    findings = list(more)
    clips = (*table.clips, *others)
    results = in_order(profile_clip, clips, workers=threads, ahead=2 * threads)
    with contextlib.closing(results):
        for done, (clip, profile) in enumerate(zip(clips, results, strict=True), 1):
            if isinstance(profile, UnreadableClip):
                fault = unreadable_finding(clip.id, profile)
                # Training leaves these out by itself.
                findings.append(replace(fault, severity="worth a look", quarantine={}) if clip.other else fault)
            else:
                profiles[clip.id] = profile
                findings += (one for one in check_clip(clip.id, profile) if not (clip.other and one.check in _OF_ANY))
            if progress:
                progress(done, len(clips))
    findings += _check_table(table, profiles, threads, top_hz, others)
    return Diagnosis(table, profiles, sort_findings([one for one in findings if one.check not in excluded]), others)


def _check_table(
    table: Table, profiles: Mapping[str, ClipProfile], threads: int, top_hz: float | None, others: tuple[Clip, ...]
) -> Iterator[Finding]:
    yield from check_duplicates(table, profiles, threads, others)
    profiles = {name: profile for name, profile in profiles.items() if not is_other(name)}
    yield from check_durations(profiles)
    yield from check_mixed_formats(profiles)
    yield from check_leaks(table)
    yield from check_cut_names(table)
    yield from check_class_names(table)
    yield from check_shortcuts(table, profiles, top_hz)


def as_json(diagnosis: Diagnosis, *, clips: bool = False) -> dict[str, Any]:
    """The audit as JSON data. `clips`: include the profile of every clip."""
    table, profiles = diagnosis.table, diagnosis.profiles
    own = [profile for name, profile in profiles.items() if not is_other(name)]
    value: dict[str, Any] = {
        "schema": 1,
        "dataset": {
            "name": table.name,
            "subset": table.subset,
            "root": table.root.as_posix(),
            "clips": len(table.clips),
            "readable": len(own),
            "others": len(diagnosis.others),
            "hours": round(sum(one.seconds for one in own) / 3600, 4),
            "classes": list(table.classes),
            "folds": list(table.folds),
            "sample_rates": dict(Counter(str(one.sample_rate) for one in own)),
            "formats": dict(Counter(one.form for one in own)),
            "ignored": [{"clip": clip.id, "reason": clip.reason} for clip in table.ignored],
            "notes": list(table.notes),
        },
        "spoilt": diagnosis.spoilt,
        "counts": diagnosis.counts,
        "findings": [
            {
                "check": finding.check,
                "severity": finding.severity,
                "message": finding.message,
                "mend": finding.remedy,
                "clips": list(finding.clips),
                "numbers": dict(finding.numbers),
                "quarantine": dict(finding.quarantine),
            }
            for finding in diagnosis.findings
        ],
    }
    if clips:
        value["clips"] = {clip_id: _profile_as_json(profile) for clip_id, profile in profiles.items()}
    return value


def _profile_as_json(profile: ClipProfile) -> dict[str, object]:
    return {
        "format": profile.format,
        "subtype": profile.subtype,
        "sample_rate": profile.sample_rate,
        "channels": profile.channels,
        "seconds": round(profile.seconds, 4),
        "digest": profile.digest,
        "peak": round(profile.peak, 5),
        "level_db": None if profile.silent else round(profile.level_db, 2),
        "silent_share": round(profile.silent_share, 4),
        "clipped_share": round(profile.clipped_share, 5),
        "dc": round(profile.dc, 5),
        "bandwidth_hz": round(profile.bandwidth_hz),
    }
