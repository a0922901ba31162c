"""The same sound twice: equal samples, or one recording in two files; and recordings on both sides of a border.

Enters: the table and the facts of its clips. Leaves: findings, each about a group of clips. How much a group matters
follows from where its clips stand: other labels contradict each other, two sides of a split let the test be known
from training, and two copies on one side only count double.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

import numpy as np

from audiosurvey.data.audio.decoding import BadAudio
from audiosurvey.data.audio.resampling import mono_blocks
from audiosurvey.data.readahead import in_order
from audiosurvey.data.splits.folds import is_published_leak, spread_recordings
from audiosurvey.data.table import Clip, Table
from audiosurvey.doctor.facts import Facts
from audiosurvey.doctor.finding import Finding, Severity
from audiosurvey.doctor.soundprint import LONGEST_S, PRINT_RATE, agreement, likely_pairs, likely_short_pairs
from audiosurvey.doctor.waveform import NO_MATCH, Match, match

AGREEMENT_LEAST = 0.3
SHORT_AGREEMENT_LEAST = 0.36
"""Among all pairs of sounds below a second; copies of vowels without their first fifth agree by 0.38 and more."""
_KEPT_WAVES = 500
"""At most 0.3 MB each."""
COPY_SHIFT_S = 0.5
"""Clips cut from one recording so far apart overlap as cuts do; nearer ones are copies."""


def leaks(table: Table) -> Iterator[Finding]:
    """Recordings, as the table names them, with clips on two sides."""
    for source, clips in spread_recordings(table).items():
        ids = tuple(clip.id for clip in clips)
        sides = ", ".join(sorted({_side(clip) for clip in clips}))
        message = f"recording {source} has {len(clips)} clips in {sides}"
        if is_published_leak(table, [source]):
            message += "; published so: where one is tested, training leaves the others out"
            yield Finding("leak", "note", ids, message)
        else:
            yield Finding("leak", "spoils a result", ids, message, weight=len(clips))


def twins(table: Table, facts: Mapping[str, Facts], workers: int) -> Iterator[Finding]:
    """Groups of clips that are one sound: by their samples, then by their soundprints and waves."""
    sounding = [clip for clip in table.clips if clip.id in facts and not facts[clip.id].silent]
    by_digest: dict[str, list[Clip]] = defaultdict(list)
    for clip in sounding:
        by_digest[facts[clip.id].digest].append(clip)
    for same in by_digest.values():
        if len(same) > 1:
            yield _judged(table, "duplicate", same, "the same samples")

    first = [same[0] for same in by_digest.values()]
    pairs = _near_pairs(first, facts, workers)
    siblings: list[Clip] = []
    for group, near in _groups(pairs):
        clips = [first[member] for member in sorted(group)]
        one_source = len({clip.source for clip in clips}) == 1 and clips[0].source is not None
        apart = all(abs(shift_s) >= COPY_SHIFT_S for _, _, shift_s in near)
        if one_source and apart and _settled(clips) and len({clip.labels for clip in clips}) == 1:
            siblings += clips
            continue
        agrees, coherent, shift_s = min(near)
        words = f"agreement {agrees:.2f}, coherence {coherent:.2f}, shifted by {abs(shift_s):.2f} s"
        numbers = {"agreement": round(agrees, 3), "coherence": round(coherent, 3), "shift_s": round(shift_s, 4)}
        yield _judged(table, "near-duplicate", clips, words, numbers, agrees, overlap=apart)
    if siblings:
        ids = tuple(clip.id for clip in siblings)
        yield Finding("overlap", "note", ids, f"{len(ids)} clips overlap others of their own recording")


def _near_pairs(
    clips: Sequence[Clip], facts: Mapping[str, Facts], workers: int
) -> list[tuple[int, int, float, float, float]]:
    """Positions of two clips of one recording, with agreement, coherence and shift."""
    prints = [facts[clip.id].print for clip in clips]
    candidates = sorted({*likely_pairs(prints), *likely_short_pairs(prints, SHORT_AGREEMENT_LEAST)})
    agreeing = ((one, other, agreement(prints[one], prints[other])) for one, other in candidates)
    beginning = lru_cache(_KEPT_WAVES)(_beginning)
    likely = [pair for pair in agreeing if pair[2] >= AGREEMENT_LEAST]

    def listen_again(pair: tuple[int, int, float]) -> Match:
        try:
            return match(beginning(clips[pair[0]]), beginning(clips[pair[1]]))
        except BadAudio:
            # It was readable a moment ago: the file has changed since.
            return NO_MATCH

    heard = in_order(listen_again, likely, workers=workers, ahead=4 * workers)
    return [
        (*pair, found.white, found.shift_s) for pair, found in zip(likely, heard, strict=True) if found.same_recording
    ]


def _beginning(clip: Clip) -> np.ndarray:
    """What the soundprint of the clip was made of; raises BadAudio."""
    begin = clip.start_s or 0.0
    end = begin + LONGEST_S if clip.end_s is None else min(clip.end_s, begin + LONGEST_S)
    return np.concatenate(list(mono_blocks(clip.path, start_s=begin, end_s=end, mono="mean", sample_rate=PRINT_RATE)))


def _groups(
    pairs: Iterable[tuple[int, int, float, float, float]],
) -> list[tuple[set[int], list[tuple[float, float, float]]]]:
    """Pairs that share a member become one group, with the figures of all its pairs."""
    group_of: dict[int, tuple[set[int], list[tuple[float, float, float]]]] = {}
    for one, other, *figures in pairs:
        mine, theirs = (group_of.get(member, ({member}, [])) for member in (one, other))
        if mine is not theirs:
            mine = (mine[0] | theirs[0], mine[1] + theirs[1])
        mine[1].append((figures[0], figures[1], figures[2]))
        group_of |= dict.fromkeys(mine[0], mine)
    return [group for member, group in sorted(group_of.items()) if member == min(group[0])]


def _judged(
    table: Table,
    check: str,
    clips: Sequence[Clip],
    words: str,
    numbers: Mapping[str, float] | None = None,
    weight: float = 0.0,
    overlap: bool = False,
) -> Finding:
    """`overlap`: they are one recording, cut at different places, and not copies."""
    ids, numbers = tuple(clip.id for clip in clips), dict(numbers or {})
    classes = sorted({_labels(table, clip) for clip in clips})
    if len(classes) > 1:
        labels = " and ".join(classes)
        if overlap and len({_side(clip) for clip in clips}) == 1:
            # Each cut may have its label from what the other does not hold.
            return Finding("contradiction", "worth a look", ids, f"{words}, labelled {labels}", numbers, weight)
        reason = "the same sound as {}, with other labels"
        drop = {clip.id: reason.format(next(c.id for c in clips if c.labels != clip.labels)) for clip in clips}
        return Finding("contradiction", "spoils a result", ids, f"{words}, labelled {labels}", numbers, weight, drop)
    severity, where = _placed(table, clips, check)
    # As published, the copies are part of what scores are compared on.
    drop = {} if table.official else {clip.id: f"{check} of {ids[0]}" for clip in clips[1:]}
    # What stands on two sides comes before what does not, however well that agrees.
    weight += len({_side(clip) for clip in clips}) > 1
    return Finding(check, severity, ids, f"{words}; {where}", numbers, weight, drop)


def _placed(table: Table, clips: Sequence[Clip], check: str) -> tuple[Severity, str]:
    """How much it matters where the copies stand, and the words for it."""
    sides = sorted({_side(clip) for clip in clips})
    if len(sides) > 1:
        if table.official or table.twin_sources.issuperset({clip.source for clip in clips}):
            return "worth a look", f"on both sides of a fold border ({', '.join(sides)}), as published"
        return "spoils a result", f"on both sides of a fold border ({', '.join(sides)})"
    if _settled(clips) or not table.classes:
        return "worth a look", "on one side of every split" if table.classes else "no classes, so no split"
    if check == "duplicate":
        return "worth a look", "no folds yet: equal samples stay in one fold when folds are made"
    return "spoils a result", "no folds yet, and no common source: they may be dealt to both sides of a split"


def _settled(clips: Sequence[Clip]) -> bool:
    """On one side of every split, whatever folds are made: one fold or side, or one source where there is none."""
    if len({_side(clip) for clip in clips}) > 1:
        return False
    divided = clips[0].fold is not None or clips[0].side is not None
    sources = {clip.source for clip in clips}
    return divided or (len(sources) == 1 and None not in sources)


def _side(clip: Clip) -> str:
    return f"fold {clip.fold}" if clip.fold is not None else clip.side or "no fold"


def _labels(table: Table, clip: Clip) -> str:
    return "|".join(table.classes[label] for label in clip.labels) or "nothing"
