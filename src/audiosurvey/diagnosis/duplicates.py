"""The same sound in several clips, and recordings on both sides of a fold border.

The severity of a group of copies depends on its clips: different labels contradict each other, copies on two sides of a
split leak the test into training, and copies on one side only count twice.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

import numpy as np

from audiosurvey.data.audio.decoding import BadAudio
from audiosurvey.data.audio.resampling import mono_blocks
from audiosurvey.data.readahead import in_order
from audiosurvey.data.splits.cut_names import find_cut_names
from audiosurvey.data.splits.folds import is_published_leak, spread_recordings
from audiosurvey.data.table import Clip, Table
from audiosurvey.diagnosis.audio_fingerprint import LONGEST_S, PRINT_RATE, agreement
from audiosurvey.diagnosis.clip_profile import ClipProfile
from audiosurvey.diagnosis.finding import Finding, Severity
from audiosurvey.diagnosis.likely_pairs import likely_pairs
from audiosurvey.diagnosis.waveform_match import NO_MATCH, WaveformMatch, match

AGREEMENT_LEAST = 0.3
SHORT_AGREEMENT_LEAST = 0.36
"""For pairs of sounds below a second. Copies of vowels without their first fifth agree by 0.38 and more."""
_KEPT_WAVES = 500
"""At most 0.3 MB each."""
COPY_SHIFT_S = 0.5
"""Clips of one recording with at least this shift are overlapping cuts, with a smaller one copies."""

_Scores = tuple[float, float, float]
"""Agreement of the fingerprints, coherence of the waveforms, shift in seconds."""


def check_cut_names(table: Table) -> Iterator[Finding]:
    """A finding if the file names look like cuts of some recordings, and nothing says which. `table`: without folds."""
    if cuts := find_cut_names(table):
        numbers = {"clips": cuts.clips, "recordings": cuts.recordings}
        yield Finding("cuts", "worth a look", cuts.first, str(cuts), numbers)


def check_leaks(table: Table) -> Iterator[Finding]:
    """Recordings, as named in the table, with clips on two sides of a split."""
    for source, clips in spread_recordings(table).items():
        ids = tuple(clip.id for clip in clips)
        sides = ", ".join(sorted({_side(clip) for clip in clips}))
        message = f"recording {source} has {len(clips)} clips in {sides}"
        if is_published_leak(table, [source]):
            message += "; published so: when one is tested, the others are left out of training"
            yield Finding("leak", "note", ids, message)
        else:
            yield Finding("leak", "spoils a result", ids, message, weight=len(clips))


def check_duplicates(
    table: Table, profiles: Mapping[str, ClipProfile], workers: int, others: Sequence[Clip] = ()
) -> Iterator[Finding]:
    """Groups of clips with the same sound: identical samples first, then similar fingerprints and waveforms.

    `others`: sounds of no class, which are reported if they are clips too.
    """
    audible = [clip for clip in (*table.clips, *others) if clip.id in profiles and not profiles[clip.id].silent]
    by_digest: dict[str, list[Clip]] = defaultdict(list)
    for clip in audible:
        by_digest[profiles[clip.id].digest].append(clip)
    for copies in by_digest.values():
        yield from _findings(table, "duplicate", copies, "identical samples")

    different = [copies[0] for copies in by_digest.values()]
    overlapping: list[Clip] = []
    for group, scores in _groups(_matching_pairs(different, profiles, workers)):
        clips = [different[member] for member in sorted(group)]
        one_source = len({clip.source for clip in clips}) == 1 and clips[0].source is not None
        apart = all(abs(shift_s) >= COPY_SHIFT_S for _, _, shift_s in scores)
        alike = len({clip.labels for clip in clips}) == 1
        if _are_windows(table, clips) or (one_source and apart and alike and _stays_together(clips)):
            overlapping += clips
            continue
        agrees, coherent, shift_s = min(scores)
        text = f"agreement {agrees:.2f}, coherence {coherent:.2f}, shifted by {abs(shift_s):.2f} s"
        numbers = {"agreement": round(agrees, 3), "coherence": round(coherent, 3), "shift_s": round(shift_s, 4)}
        yield from _findings(table, "near-duplicate", clips, text, numbers, agrees, cuts=apart)
    if overlapping:
        ids = tuple(clip.id for clip in overlapping)
        yield Finding("overlap", "note", ids, f"{len(ids)} clips overlap other clips of the same recording")


def _are_windows(table: Table, clips: Sequence[Clip]) -> bool:
    """Whether these are segments of one file in a multi-label table, which overlap and have labels of their own."""
    one_file = len({clip.path for clip in clips}) == 1 and all(clip.start_s is not None for clip in clips)
    return table.multi_label and one_file and _stays_together(clips)


def _matching_pairs(
    clips: Sequence[Clip], profiles: Mapping[str, ClipProfile], workers: int
) -> list[tuple[int, int, _Scores]]:
    """Pairs of clips of one recording, as positions in `clips`."""
    prints = [profiles[clip.id].print for clip in clips]
    candidates = likely_pairs(prints, SHORT_AGREEMENT_LEAST)
    agreeing = ((one, other, agreement(prints[one], prints[other])) for one, other in candidates)
    beginning = lru_cache(_KEPT_WAVES)(_beginning)
    likely = [pair for pair in agreeing if pair[2] >= AGREEMENT_LEAST]

    def compare(pair: tuple[int, int, float]) -> WaveformMatch:
        try:
            return match(beginning(clips[pair[0]]), beginning(clips[pair[1]]))
        except BadAudio:
            # Readable a moment ago: the file was changed meanwhile.
            return NO_MATCH

    matches = in_order(compare, likely, workers=workers, ahead=4 * workers)
    return [
        (one, other, (agrees, found.white, found.shift_s))
        for (one, other, agrees), found in zip(likely, matches, strict=True)
        if found.same_recording
    ]


def _beginning(clip: Clip) -> np.ndarray:
    """The wave that the fingerprint of the clip was computed from. Raises BadAudio."""
    begin = clip.start_s or 0.0
    end = begin + LONGEST_S if clip.end_s is None else min(clip.end_s, begin + LONGEST_S)
    return np.concatenate(list(mono_blocks(clip.path, start_s=begin, end_s=end, mono="mean", sample_rate=PRINT_RATE)))


def _groups(pairs: Iterable[tuple[int, int, _Scores]]) -> list[tuple[set[int], list[_Scores]]]:
    """Connected components of the pairs (union-find), with the scores of all their pairs."""
    above: dict[int, int] = {}

    def root(member: int) -> int:
        while (parent := above.setdefault(member, member)) != member:
            above[member] = above[parent]
            member = above[member]
        return member

    pairs = list(pairs)
    for one, other, _ in pairs:
        # The lowest member is the root.
        low, high = sorted((root(one), root(other)))
        above[high] = low
    groups: dict[int, tuple[set[int], list[_Scores]]] = {}
    for one, other, scores in pairs:
        members, collected = groups.setdefault(root(one), (set(), []))
        members.update((one, other))
        collected.append(scores)
    return [group for _, group in sorted(groups.items())]


def _findings(
    table: Table,
    check: str,
    clips: Sequence[Clip],
    text: str,
    numbers: Mapping[str, float] | None = None,
    weight: float = 0.0,
    cuts: bool = False,
) -> Iterator[Finding]:
    """What is said of a group of copies: of those in the table, and of the sounds of no class that are among them."""
    known, others = [clip for clip in clips if not clip.other], [clip for clip in clips if clip.other]
    if len(known) > 1:
        yield _group_finding(table, check, known, text, numbers, weight, cuts)
    if not known or not others or (cuts and _are_apart(known, others)):
        return
    labels = sorted({table.classes[label] for clip in known for label in clip.labels})
    message = f"{text}; labelled {' and '.join(labels) or 'nothing'}, and in dataset.other"
    # Training leaves out those with equal samples.
    severity: Severity = "worth a look" if check == "duplicate" else "spoils a result"
    ids = tuple(clip.id for clip in (*known, *others))
    yield Finding("other-known", severity, ids, message, dict(numbers or {}), weight)


def _are_apart(known: Sequence[Clip], others: Sequence[Clip]) -> bool:
    """Whether these are different stretches of named recordings, which may hold sounds of a class and others."""
    return all(one.source is not None and one.source == other.source for one in known for other in others)


def _group_finding(
    table: Table,
    check: str,
    clips: Sequence[Clip],
    text: str,
    numbers: Mapping[str, float] | None = None,
    weight: float = 0.0,
    cuts: bool = False,
) -> Finding:
    """`cuts`: the clips were cut from one recording at different positions and are not copies."""
    ids, numbers = tuple(clip.id for clip in clips), dict(numbers or {})
    labels = sorted({"|".join(table.classes[label] for label in clip.labels) or "nothing" for clip in clips})
    if len(labels) > 1:
        message = f"{text}, labelled {' and '.join(labels)}"
        if cuts and len({_side(clip) for clip in clips}) == 1:
            # Each cut may contain what its own label names.
            return Finding("contradiction", "worth a look", ids, message, numbers, weight)
        first, second = clips[0], next(clip for clip in clips if clip.labels != clips[0].labels)
        other_of = {clip.id: (second if clip.labels == first.labels else first).id for clip in clips}
        quarantine = {clip_id: f"the same sound as {other}, with other labels" for clip_id, other in other_of.items()}
        return Finding("contradiction", "spoils a result", ids, message, numbers, weight, quarantine)
    severity, where = _severity(table, clips, check)
    # Results on a published set are compared with its copies in place.
    quarantine = {} if table.official else {clip.id: f"{check} of {ids[0]}" for clip in clips[1:]}
    # Groups on two sides of a split come first.
    weight += len({_side(clip) for clip in clips}) > 1
    return Finding(check, severity, ids, f"{text}; {where}", numbers, weight, quarantine)


def _severity(table: Table, clips: Sequence[Clip], check: str) -> tuple[Severity, str]:
    """How severe it is that these clips are copies, and why."""
    sides = sorted({_side(clip) for clip in clips})
    if len(sides) > 1:
        where = f"on both sides of a fold border ({', '.join(sides)})"
        if table.official or table.twin_sources.issuperset({clip.source for clip in clips}):
            return "worth a look", f"{where}, as published"
        return "spoils a result", where
    if not table.classes:
        return "worth a look", "no classes, so no split"
    if _stays_together(clips):
        return "worth a look", "on one side of every split"
    if check == "duplicate":
        return "worth a look", "no folds yet: identical samples stay in one fold when folds are made"
    return "spoils a result", "no folds yet and no common source: they may end up on both sides of a split"


def _stays_together(clips: Sequence[Clip]) -> bool:
    """Whether the clips are on one side of every split: in one fold or side, or of one source if there are none."""
    if len({_side(clip) for clip in clips}) > 1:
        return False
    divided = clips[0].fold is not None or clips[0].side is not None
    sources = {clip.source for clip in clips}
    return divided or (len(sources) == 1 and None not in sources)


def _side(clip: Clip) -> str:
    return f"fold {clip.fold}" if clip.fold is not None else clip.side or "no fold"
