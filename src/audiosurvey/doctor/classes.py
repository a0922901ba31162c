"""Checks of classes: how many clips they have and where, how they are called, and what sets one apart from the others
besides what is to be heard in it.

Enters: the table and the facts of its clips. Leaves: findings. A class that can be told by the frequency at which its
files end is learnt by that frequency: the score is high, and says nothing about other recordings.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import combinations

import numpy as np

from audiosurvey.data.table import Clip, Table
from audiosurvey.doctor.facts import Facts
from audiosurvey.doctor.finding import Finding, Severity

FEWEST_CLIPS = 10
IMBALANCE, IMBALANCE_NOTE = 10.0, 3.0
FEWEST_TO_COMPARE = 5
APART_IN, APART_OUT = 0.9, 0.1
"""A class is apart where nine tenths of it and at most a tenth of the others lie beyond some value."""
SPOILT_OUT, SPOILT_CLIPS = 0.05, 8
BAND_RATIO = 0.85
LEVEL_GAP_DB = 12.0
LENGTH_RATIO = 1.5


def counts(table: Table, num_folds: int) -> Iterator[Finding]:
    """Classes that are too small to be trained and tested, missing from a fold, or of very different size."""
    clips_of: dict[str, list[Clip]] = {name: [] for name in table.classes}
    for clip in table.clips:
        for label in clip.labels:
            clips_of[table.classes[label]].append(clip)
    divided = any(clip.fold is not None or clip.side is not None for clip in table.clips)
    for name, clips in clips_of.items():
        ids = tuple(clip.id for clip in clips[:FEWEST_CLIPS])
        units = len({clip.source or clip.id for clip in clips})
        if units < 2:
            source = "one recording" if units else "no recording"
            message = f"class '{name}' has {_clips(clips)} of {source}: it cannot be trained and tested"
            yield Finding("untrained", _of_excerpt(table), ids, message, plot=name)
        elif divided:
            yield from _sides(table, name, clips)
        elif units < num_folds:
            message = f"class '{name}' has {units} recordings for {num_folds} folds: some test it not at all"
            yield Finding("few-clips", "worth a look", ids, message, {"recordings": units}, -units, plot=name)
        elif len(clips) < FEWEST_CLIPS:
            message = f"class '{name}' has {_clips(clips)}"
            yield Finding("few-clips", "note", ids, message, {"clips": len(clips)}, -len(clips), plot=name)
    sizes = Counter({name: len(clips) for name, clips in clips_of.items() if clips})
    if len(sizes) > 1:
        (most, many), (least, few) = sizes.most_common()[0], sizes.most_common()[-1]
        if many / few >= IMBALANCE_NOTE:
            severity: Severity = "worth a look" if many / few >= IMBALANCE else "note"
            message = f"'{most}' has {many} clips, '{least}' has {few}: {many / few:.1f} to 1"
            yield Finding("imbalance", severity, (), message, {"ratio": round(many / few, 2)}, plot=least)


def names(table: Table) -> Iterator[Finding]:
    """Pairs of class names that differ in case, blanks, a plural or a letter or two."""
    count = Counter(table.classes[label] for clip in table.clips for label in clip.labels)
    for one, other in combinations(table.classes, 2):
        rare, usual = sorted((one, other), key=lambda name: (count[name], name))
        words = f"'{rare}' ({count[rare]} clips) and '{usual}' ({count[usual]})"
        severity: Severity = "worth a look"
        if _plain(one) == _plain(other):
            severity, message = "spoils a result", f"{words} differ in case, blanks or marks only"
        elif _plain(one).rstrip("s") == _plain(other).rstrip("s"):
            message = f"{words}: a plural?"
        elif _mistyped(rare, usual, count):
            message = f"{words}: a slip of the pen?"
        else:
            continue
        label = table.classes.index(rare)
        ids = tuple(clip.id for clip in table.clips if label in clip.labels)
        yield Finding("label", severity, ids, message, {rare: count[rare], usual: count[usual]}, plot=rare)


def shortcuts(table: Table, facts: Mapping[str, Facts], top_hz: float | None = None) -> Iterator[Finding]:
    """What tells a class from all others without listening. `top_hz`: what is above it, the network does not hear."""
    if table.multi_label or len(table.classes) < 2:
        return
    clips = [clip for clip in table.clips if clip.id in facts and not facts[clip.id].silent]
    label_N = np.array([clip.labels[0] for clip in clips])
    found = [facts[clip.id] for clip in clips]
    edge_N = np.array([min(one.bandwidth_hz, top_hz or np.inf) for one in found])
    level_N = np.array([one.level_db for one in found])
    seconds_N = np.array([one.seconds for one in found])
    for label, name in enumerate(table.classes):
        inside = label_N == label
        if min(inside.sum(), (~inside).sum()) < FEWEST_TO_COMPARE:
            continue
        ids = tuple(clip.id for clip in clips if clip.labels[0] == label)
        yield from _band_limit(name, ids, edge_N[inside], edge_N[~inside])
        gap_db = float(np.median(level_N[inside]) - np.median(level_N[~inside]))
        if abs(gap_db) >= LEVEL_GAP_DB and _apart(np.sign(gap_db) * level_N, inside):
            message = f"class '{name}' is {abs(gap_db):.0f} dB {'louder' if gap_db > 0 else 'softer'} than the others"
            yield Finding("level", "worth a look", ids, message, {"gap_db": round(gap_db, 1)}, abs(gap_db), plot=name)
        ratio = float(np.median(seconds_N[inside]) / np.median(seconds_N[~inside]))
        if max(ratio, 1 / ratio) >= LENGTH_RATIO and _apart(np.sign(ratio - 1) * seconds_N, inside):
            message = f"class '{name}' has clips {ratio:.2g} times as long as the others"
            numbers = {"ratio": round(ratio, 3)}
            yield Finding("length", "worth a look", ids, message, numbers, max(ratio, 1 / ratio), plot=name)
    yield from _encodings(table, clips, found)


def _sides(table: Table, name: str, clips: list[Clip]) -> Iterator[Finding]:
    """A class of a table with folds or sides that is not on all of them."""
    ids = tuple(clip.id for clip in clips[:FEWEST_CLIPS])
    where, every = ({clip.fold or clip.side for clip in some} for some in (clips, table.clips))
    lacking = ", ".join(f"fold {side}" if isinstance(side, int) else str(side) for side in _sorted(every - where))
    if not lacking:
        return
    sided = any(clip.side for clip in table.clips)
    if len(where) == 1 or (sided and not {"train", "test"} <= where):
        message = f"class '{name}' is missing from {lacking}: what is tested of it was not trained, or the reverse"
        yield Finding("untrained", _of_excerpt(table), ids, message, plot=name)
    elif not sided or "test" in every - where:
        yield Finding("few-clips", "worth a look", ids, f"class '{name}' is missing from {lacking}", plot=name)


def _band_limit(name: str, ids: tuple[str, ...], inside_hz: np.ndarray, others_hz: np.ndarray) -> Iterator[Finding]:
    """A class that ends lower than the others, or that alone goes on where the others end."""
    middle_hz, others_middle_hz = float(np.median(inside_hz)), float(np.median(others_hz))
    lower = middle_hz < others_middle_hz
    if min(middle_hz, others_middle_hz) > BAND_RATIO * max(middle_hz, others_middle_hz):
        return
    # The frequency that nine tenths of the class keep to, and how many of the others keep to it as well.
    if lower:
        limit_hz = float(np.quantile(inside_hz, APART_IN, method="higher"))
        share = float((others_hz <= limit_hz).mean())
        words = "end at or below"
    else:
        limit_hz = float(np.quantile(inside_hz, 1 - APART_IN, method="lower"))
        share = float((others_hz >= limit_hz).mean())
        words = "reach"
    if share > APART_OUT:
        return
    spoilt = share <= SPOILT_OUT and min(len(inside_hz), len(others_hz)) >= SPOILT_CLIPS
    message = f"clips of '{name}' {words} {limit_hz / 1000:.1f} kHz, as do {share:.0%} of the others"
    numbers = {"limit_hz": round(limit_hz), "share_of_others": round(share, 3)}
    yield Finding(
        "band-limit", "spoils a result" if spoilt else "worth a look", ids, message, numbers, 1 - share, plot=name
    )


def _apart(value_N: np.ndarray, inside: np.ndarray) -> bool:
    """Whether nine tenths of a class, and a tenth of the others at most, lie above some value."""
    limit = np.quantile(value_N[inside], 1 - APART_IN, method="lower")
    return float((value_N[~inside] >= limit).mean()) <= APART_OUT


def _encodings(table: Table, clips: list[Clip], found: list[Facts]) -> Iterator[Finding]:
    """A format or sample rate that a class has to itself."""
    seen: dict[str, Counter[int]] = defaultdict(Counter)
    for clip, one in zip(clips, found, strict=True):
        seen[f"{one.form}, {one.sample_rate} Hz"][clip.labels[0]] += 1
    size = Counter(clip.labels[0] for clip in clips)
    for form, labels in seen.items():
        label, count = labels.most_common(1)[0]
        outside = len(clips) - size[label]
        own = count >= APART_IN * size[label] and (labels.total() - count) <= APART_OUT * outside
        if own and len(seen) > 1 and min(count, outside) >= FEWEST_TO_COMPARE:
            name = table.classes[label]
            ids = tuple(clip.id for clip in clips if clip.labels[0] == label)
            message = (
                f"{count} of {size[label]} clips of '{name}' are {form}, and {labels.total() - count} of the others"
            )
            yield Finding("encoding", "worth a look", ids, message, {"clips": count}, count, plot=name)


def _of_excerpt(table: Table) -> Severity:
    """A few clips of a published set are an excerpt to try things on, whose folds were never meant to hold."""
    few = len(table.clips) < FEWEST_CLIPS * len(table.classes)
    return "worth a look" if table.published and few else "spoils a result"


def _sorted(sides: set[int | str | None]) -> list[int | str | None]:
    return sorted(sides, key=lambda side: (isinstance(side, str), side or 0))


def _clips(clips: list[Clip]) -> str:
    return f"{len(clips)} clip{'' if len(clips) == 1 else 's'}"


def _plain(name: str) -> str:
    """Letters and digits alone, in lower case."""
    return "".join(letter for letter in name.casefold() if letter.isalnum()) or name


def _mistyped(rare: str, usual: str, count: Counter[str]) -> bool:
    """Whether one name may be the other mistyped: one step apart and rare, or long names that hardly differ."""
    one, other = _plain(rare), _plain(usual)
    if any(character.isdigit() for character in one + other) or min(len(one), len(other)) < 3:
        return False
    steps = _steps(one, other)
    return steps == 1 and (5 * count[rare] <= count[usual] or min(len(one), len(other)) >= 6)


def _steps(one: str, other: str) -> int:
    """Letters to be put in, taken out, changed, or swapped with their neighbour (optimal string alignment)."""
    if abs(len(one) - len(other)) > 1:
        return 2
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        further = [i]
        for j, b in enumerate(other, 1):
            cost = min(row[j] + 1, further[j - 1] + 1, row[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                cost = min(cost, before[j - 2] + 1)
            further.append(cost)
        before, row = row, further
    return row[-1]
