"""Checks of classes: their number of clips, their names, and shortcuts that tell a class from the others.

A class with a bandwidth, level, length or format of its own can be recognised by that alone. The score is then high
and says nothing about other recordings.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import combinations

import numpy as np

from audiosurvey.data.table import Clip, Table, clips_by_class
from audiosurvey.diagnosis.clip_profile import ClipProfile
from audiosurvey.diagnosis.finding import Finding, Severity
from audiosurvey.errors import number_of

FEWEST_CLIPS = 10
IMBALANCE, IMBALANCE_NOTE = 10.0, 3.0
FEWEST_TO_COMPARE = 5
APART_IN, APART_OUT = 0.9, 0.1
"""A class is separated if nine tenths of it and at most a tenth of the others lie beyond some value."""
SPOILT_OUT, SPOILT_CLIPS = 0.05, 8
BAND_RATIO = 0.85
LEVEL_GAP_DB = 12.0
LENGTH_RATIO = 1.5


def check_class_sizes(table: Table, num_folds: int) -> Iterator[Finding]:
    """Classes that are too small to be trained and tested, missing from a fold, or of very different size."""
    clips_of = dict(zip(table.classes, clips_by_class(table.clips, len(table.classes)), strict=True))
    divided = any(clip.fold is not None or clip.side is not None for clip in table.clips)
    sides = {clip.fold or clip.side for clip in table.clips}
    for name, clips in clips_of.items():
        ids = tuple(clip.id for clip in clips[:FEWEST_CLIPS])
        count = number_of(len(clips), "clip")
        recordings = len({clip.source or clip.id for clip in clips})
        if recordings < 2:
            source = "one recording" if recordings else "no recording"
            message = f"class '{name}' has {count} of {source}: it cannot be trained and tested"
            yield Finding("untrained", _untrained_severity(table), ids, message, class_name=name)
        elif divided:
            yield from _check_sides(table, name, clips, sides)
        elif recordings < num_folds:
            message = f"class '{name}' has {recordings} recordings for {num_folds} folds: some folds do not test it"
            numbers = {"recordings": recordings}
            yield Finding("few-clips", "worth a look", ids, message, numbers, -recordings, class_name=name)
        elif len(clips) < FEWEST_CLIPS:
            numbers = {"clips": len(clips)}
            yield Finding(
                "few-clips", "note", ids, f"class '{name}' has {count}", numbers, -len(clips), class_name=name
            )
    sizes = Counter({name: len(clips) for name, clips in clips_of.items() if clips})
    if len(sizes) > 1:
        (largest, many), (smallest, few) = sizes.most_common()[0], sizes.most_common()[-1]
        if many / few >= IMBALANCE_NOTE:
            severity: Severity = "worth a look" if many / few >= IMBALANCE else "note"
            message = f"'{largest}' has {many} clips, '{smallest}' has {few}: {many / few:.1f} to 1"
            yield Finding("imbalance", severity, (), message, {"ratio": round(many / few, 2)}, class_name=smallest)


def check_class_names(table: Table) -> Iterator[Finding]:
    """Pairs of class names that differ in case, spaces, a plural or a letter or two."""
    clips_of = dict(zip(table.classes, clips_by_class(table.clips, len(table.classes)), strict=True))
    count = Counter({name: len(clips) for name, clips in clips_of.items()})
    for one, other in combinations(table.classes, 2):
        rare, usual = sorted((one, other), key=lambda name: (count[name], name))
        text = f"'{rare}' ({count[rare]} clips) and '{usual}' ({count[usual]})"
        severity: Severity = "worth a look"
        if _normalised(one) == _normalised(other):
            severity, message = "spoils a result", f"{text} differ only in case, spaces or punctuation"
        elif _normalised(one).rstrip("s") == _normalised(other).rstrip("s"):
            message = f"{text}: singular and plural?"
        elif _may_be_typo(rare, usual, count):
            message = f"{text}: a typing error?"
        else:
            continue
        ids = tuple(clip.id for clip in clips_of[rare])
        yield Finding("label", severity, ids, message, {rare: count[rare], usual: count[usual]}, class_name=rare)


def check_shortcuts(
    table: Table, profiles: Mapping[str, ClipProfile], top_hz: float | None = None
) -> Iterator[Finding]:
    """Properties of the recordings that separate a class from all others. `top_hz`: the network's highest frequency."""
    if table.multi_label or len(table.classes) < 2:
        return
    clips = [clip for clip in table.clips if clip.id in profiles and not profiles[clip.id].silent]
    label_N = np.array([clip.labels[0] for clip in clips])
    found = [profiles[clip.id] for clip in clips]
    edge_N = np.array([min(one.bandwidth_hz, top_hz or np.inf) for one in found])
    level_N = np.array([one.level_db for one in found])
    seconds_N = np.array([one.seconds for one in found])
    clips_of = clips_by_class(clips, len(table.classes))
    for label, name in enumerate(table.classes):
        inside = label_N == label
        if min(inside.sum(), (~inside).sum()) < FEWEST_TO_COMPARE:
            continue
        ids = tuple(clip.id for clip in clips_of[label])
        yield from _check_band_limit(name, ids, edge_N[inside], edge_N[~inside])
        gap_db = float(np.median(level_N[inside]) - np.median(level_N[~inside]))
        if abs(gap_db) >= LEVEL_GAP_DB and _separated(np.sign(gap_db) * level_N, inside):
            message = f"class '{name}' is {abs(gap_db):.0f} dB {'louder' if gap_db > 0 else 'softer'} than the others"
            numbers = {"gap_db": round(gap_db, 1)}
            yield Finding("level", "worth a look", ids, message, numbers, abs(gap_db), class_name=name)
        ratio = float(np.median(seconds_N[inside]) / np.median(seconds_N[~inside]))
        if max(ratio, 1 / ratio) >= LENGTH_RATIO and _separated(np.sign(ratio - 1) * seconds_N, inside):
            message = f"clips of '{name}' are {ratio:.2g} times as long as the others"
            numbers = {"ratio": round(ratio, 3)}
            yield Finding("length", "worth a look", ids, message, numbers, max(ratio, 1 / ratio), class_name=name)
    yield from _check_encodings(table, clips, found)


def _check_sides(table: Table, name: str, clips: list[Clip], every: set[int | str | None]) -> Iterator[Finding]:
    """A class that is missing from a fold or side; `every`: those of the table."""
    ids = tuple(clip.id for clip in clips[:FEWEST_CLIPS])
    present = {clip.fold or clip.side for clip in clips}
    ordered = sorted(every - present, key=lambda side: (isinstance(side, str), side or 0))
    missing = ", ".join(f"fold {side}" if isinstance(side, int) else str(side) for side in ordered)
    if not missing:
        return
    sided = any(isinstance(side, str) for side in every)
    if len(present) == 1 or (sided and not {"train", "test"} <= present):
        message = f"class '{name}' is missing from {missing}: it cannot be both trained and tested"
        yield Finding("untrained", _untrained_severity(table), ids, message, class_name=name)
    elif not sided or "test" in every - present:
        yield Finding("few-clips", "worth a look", ids, f"class '{name}' is missing from {missing}", class_name=name)


def _check_band_limit(
    name: str, ids: tuple[str, ...], inside_hz: np.ndarray, others_hz: np.ndarray
) -> Iterator[Finding]:
    """A class with a lower bandwidth than the others, or the only one with a higher bandwidth."""
    median_hz, others_median_hz = float(np.median(inside_hz)), float(np.median(others_hz))
    if min(median_hz, others_median_hz) > BAND_RATIO * max(median_hz, others_median_hz):
        return
    # The limit that nine tenths of the class keep, and the share of the others that keep it too.
    if median_hz < others_median_hz:
        limit_hz = float(np.quantile(inside_hz, APART_IN, method="higher"))
        share = float((others_hz <= limit_hz).mean())
        verb = "end at or below"
    else:
        limit_hz = float(np.quantile(inside_hz, 1 - APART_IN, method="lower"))
        share = float((others_hz >= limit_hz).mean())
        verb = "reach"
    if share > APART_OUT:
        return
    spoilt = share <= SPOILT_OUT and min(len(inside_hz), len(others_hz)) >= SPOILT_CLIPS
    severity: Severity = "spoils a result" if spoilt else "worth a look"
    message = f"clips of '{name}' {verb} {limit_hz / 1000:.1f} kHz, as do {share:.0%} of the others"
    numbers = {"limit_hz": round(limit_hz), "share_of_others": round(share, 3)}
    yield Finding("band-limit", severity, ids, message, numbers, 1 - share, class_name=name)


def _separated(value_N: np.ndarray, inside: np.ndarray) -> bool:
    """Whether nine tenths of a class, but at most a tenth of the others, lie above some value."""
    limit = np.quantile(value_N[inside], 1 - APART_IN, method="lower")
    return float((value_N[~inside] >= limit).mean()) <= APART_OUT


def _check_encodings(table: Table, clips: list[Clip], profiles: list[ClipProfile]) -> Iterator[Finding]:
    """A format or sample rate that almost only one class has."""
    labels_of: dict[str, Counter[int]] = defaultdict(Counter)
    for clip, profile in zip(clips, profiles, strict=True):
        labels_of[f"{profile.form}, {profile.sample_rate} Hz"][clip.labels[0]] += 1
    size = Counter(clip.labels[0] for clip in clips)
    for form, labels in labels_of.items():
        label, count = labels.most_common(1)[0]
        outside = len(clips) - size[label]
        own = count >= APART_IN * size[label] and (labels.total() - count) <= APART_OUT * outside
        if own and len(labels_of) > 1 and min(count, outside) >= FEWEST_TO_COMPARE:
            name = table.classes[label]
            ids = tuple(clip.id for clip in clips if clip.labels[0] == label)
            others = labels.total() - count
            message = f"{count} of {size[label]} clips of '{name}' are {form}, but only {others} of the others"
            yield Finding("encoding", "worth a look", ids, message, {"clips": count}, count, class_name=name)


def _untrained_severity(table: Table) -> Severity:
    """An excerpt of a published set, with a few clips to try things on, is not expected to have usable folds."""
    few = len(table.clips) < FEWEST_CLIPS * len(table.classes)
    return "worth a look" if table.published and few else "spoils a result"


def _normalised(name: str) -> str:
    """Letters and digits only, in lower case."""
    return "".join(letter for letter in name.casefold() if letter.isalnum()) or name


def _may_be_typo(rare: str, usual: str, count: Counter[str]) -> bool:
    """Whether the names are one edit apart, and one is rare or both are long."""
    one, other = _normalised(rare), _normalised(usual)
    if any(character.isdigit() for character in one + other) or min(len(one), len(other)) < 3:
        return False
    return _one_edit_apart(one, other) and (5 * count[rare] <= count[usual] or min(len(one), len(other)) >= 6)


def _one_edit_apart(one: str, other: str) -> bool:
    """Whether one letter inserted, removed, replaced, or swapped with its neighbour makes one name of the other."""
    short, long = sorted((one, other), key=len)
    differing = [place for place, pair in enumerate(zip(short, long, strict=False)) if pair[0] != pair[1]]
    first = differing[0] if differing else len(short)
    if len(short) < len(long):
        return long[:first] + long[first + 1 :] == short
    swapped = one[:first] + one[first : first + 2][::-1] + one[first + 2 :]
    return len(differing) == 1 or (len(differing) == 2 and swapped == other)
