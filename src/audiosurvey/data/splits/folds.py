"""Folds and splits: which clips train and which are tested, with no recording on both sides."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from audiosurvey.data.splits.stratify import by_rarest_label, by_scikit_learn, lonely_classes
from audiosurvey.data.table import Clip, Table
from audiosurvey.errors import UserError, some_of
from audiosurvey.randomness import stream

Selection = Literal["last", "validation", "test"]

_SHOWN_RECORDINGS = 5
_SHOWN_CLIPS = 3


@dataclass(frozen=True)
class Split:
    """The clips of one fold, each side in the order of the table."""

    fold: int
    train: tuple[Clip, ...]
    validation: tuple[Clip, ...]
    """Empty unless the selection is `validation`."""
    test: tuple[Clip, ...]
    leaking: tuple[str, ...] = ()
    """Recordings with clips on more than one side, which only `allow_leakage` permits; the result is marked."""
    left_out: tuple[Clip, ...] = ()
    """Clips of published folds that are left out of training, because their recording is also tested or validated."""


def make_split(table: Table, fold: int, selection: Selection, allow_leakage: bool = False) -> Split:
    """The split in which `fold` is tested.

    `validation` holds the next fold, cyclically, out of training. A table with a train/val/test split has one fold, 1:
    only its train rows train, and only `validation` uses its val rows.

    A recording on two sides (one source, one file, or equal content) is refused unless it is allowed. Published folds
    are the exception, as the user cannot change them: ESC-50 has four recordings with clips in two folds. All tested
    clips stay, so that scores compare with the literature; the other clips of their recordings do not train.
    Raises UserError for a fold that does not exist, an empty side, a recording on two sides.
    """
    if fold not in table.folds:
        there = ", ".join(map(str, table.folds)) or "none"
        raise UserError(f"fold {fold}: not in the table, whose folds are {there}")
    split = _by_side(table, selection) if any(clip.side for clip in table.clips) else _by_fold(table, fold, selection)
    found = _sides_of_recordings(table, split)
    leaking = tuple(sorted(name for name, sides in found.items() if len(sides) > 1))
    if not leaking or allow_leakage:
        return replace(split, leaking=leaking)
    if not is_published_leak(table, leaking):
        raise UserError(*_describe_leak(split, leaking, found))
    return _without_leaks(table, split)


def split_notes(table: Table, splits: Iterable[Split]) -> list[str]:
    """Notes on unused rows marked `val`, and on recordings on two sides."""
    splits = list(splits)
    notes: list[str] = []
    unused = sum(clip.side == "val" for clip in table.clips)
    if unused and not any(split.validation for split in splits):
        mend = "set protocol.selection to validation to choose the epoch by them, or mark them 'train'"
        notes.append(f"{unused} clips marked 'val' in the split column are not used; {mend}")
    if leaking := {name for split in splits for name in split.leaking}:
        notes.append(f"{len(leaking)} recordings are on both sides of a split, as protocol.allow_leakage allows")
    return notes


def is_published_leak(table: Table, recordings: Iterable[str]) -> bool:
    """Whether the authors of the data set put the clips of these recordings into several folds."""
    return table.official or table.published_folds or table.spread_sources.issuperset(recordings)


def spread_recordings(table: Table) -> dict[str, tuple[Clip, ...]]:
    """The clips of each recording with clips in two folds, or on two sides."""
    found: dict[str, list[Clip]] = defaultdict(list)
    for clip in table.clips:
        if (name := table.recording(clip)) is not None:
            found[name].append(clip)
    return {name: tuple(clips) for name, clips in found.items() if len({(clip.fold, clip.side) for clip in clips}) > 1}


def note_spread_recordings(table: Table) -> Table:
    """Adds a note on recordings that the published folds separate; `make_split` deals with them."""
    spread = spread_recordings(table)
    if not spread or not is_published_leak(table, spread):
        return table
    note = f"{len(spread)} recordings have clips in two folds: when one is tested, the others are not trained on"
    return replace(table, notes=(*table.notes, note))


def without_clips(table: Table, ids: set[str]) -> tuple[Table, tuple[Clip, ...]]:
    """The table without these clips, and the clips left out: their recordings are in the target data."""
    left_out = tuple(clip for clip in table.clips if clip.id in ids)
    if not left_out:
        return table, ()
    kept = tuple(clip for clip in table.clips if clip.id not in ids)
    note = f"{len(left_out)} clips left out: their recordings occur in the target data"
    return replace(table, clips=kept, official=False, notes=(*table.notes, note)), left_out


def assign_folds(
    clips: Sequence[Clip], num_folds: int, classes: Sequence[str], recordings: Mapping[str, str] | None = None
) -> tuple[tuple[Clip, ...], tuple[str, ...]]:
    """The clips, in their order, with folds 1..`num_folds`, and notes on what the folds lack.

    Folds are stratified by class, and the clips of a recording are in one fold. They do not depend on the order of the
    clips. `recordings`: the recording of each clip id (None: the sources).
    Raises UserError for a class with a single recording or clip, or for fewer recordings than folds.
    """
    ordered = sorted(clips, key=lambda clip: clip.id)
    # Shuffled, as files that are neighbours by name are often neighbours in time.
    ordered = [ordered[row] for row in stream(0, "folds").permutation(len(ordered))]
    unit_of = {clip.id: _unit(clip, recordings) for clip in ordered}
    units: dict[tuple[bool, str], list[Clip]] = defaultdict(list)
    for clip in ordered:
        units[unit_of[clip.id]].append(clip)
    kind = "source recordings" if len(units) < len(ordered) else "clips"
    notes = _check_counts(list(units.values()), num_folds, classes, kind)

    single_label = all(len(clip.labels) == 1 for clip in ordered)
    folds = by_scikit_learn(ordered, unit_of, num_folds) if single_label else None
    if folds is None or lonely_classes(ordered, folds):
        by_unit = dict(zip(units, by_rarest_label(list(units.values()), num_folds, len(classes)), strict=True))
        folds = [by_unit[unit_of[clip.id]] for clip in ordered]
    for label, fold in lonely_classes(ordered, folds).items():
        notes.append(f"class '{classes[label]}' is only in fold {fold + 1}, where it is tested but never trained")
    fold_of = {clip.id: fold + 1 for clip, fold in zip(ordered, folds, strict=True)}
    together = ", keeping clips of one source recording together" if kind == "source recordings" else ""
    made = f"the data has no folds: {num_folds} stratified folds were made{together}"
    return tuple(replace(clip, fold=fold_of[clip.id]) for clip in clips), (made, *notes)


def _unit(clip: Clip, recordings: Mapping[str, str] | None) -> tuple[bool, str]:
    """What has to be in one fold: a recording, or a single clip."""
    name = clip.source if recordings is None else recordings.get(clip.id)
    return (False, clip.id) if name is None else (True, name)


def _by_fold(table: Table, fold: int, selection: Selection) -> Split:
    folds = table.folds
    held_out = folds[(folds.index(fold) + 1) % len(folds)] if selection == "validation" else None
    if len(folds) < (3 if selection == "validation" else 2):
        mend = "; set protocol.selection to last" if len(folds) == 2 else ""
        raise UserError(f"fold {fold}: nothing is left to train on, the table has {len(folds)} folds{mend}")
    return Split(
        fold,
        train=tuple(clip for clip in table.clips if clip.fold not in (fold, held_out, None)),
        validation=tuple(clip for clip in table.clips if clip.fold is not None and clip.fold == held_out),
        test=tuple(clip for clip in table.clips if clip.fold == fold),
    )


def _by_side(table: Table, selection: Selection) -> Split:
    sides = {side: tuple(clip for clip in table.clips if clip.side == side) for side in ("train", "val", "test")}
    for side in ("train", "test"):
        if not sides[side]:
            mend = f"mark some rows '{side}', or set dataset.columns.split to null to have folds made"
            raise UserError(f"split column: no row is marked '{side}'; {mend}")
    if selection == "validation" and not sides["val"]:
        raise UserError("split column: no row is marked 'val'; mark some, or set protocol.selection to last")
    return Split(1, sides["train"], sides["val"] if selection == "validation" else (), sides["test"])


def _sides_of_recordings(table: Table, split: Split) -> dict[str, dict[str, list[Clip]]]:
    found: dict[str, dict[str, list[Clip]]] = defaultdict(lambda: defaultdict(list))
    for side, clips in (("train", split.train), ("validation", split.validation), ("test", split.test)):
        for clip in clips:
            if (name := table.recording(clip)) is not None:
                found[name][side].append(clip)
    return found


def _without_leaks(table: Table, split: Split) -> Split:
    """The split without the leaking clips of training and validation; the test is unchanged."""
    tested = {table.recording(clip) for clip in split.test} - {None}
    validation = tuple(clip for clip in split.validation if table.recording(clip) not in tested)
    held_out = tested | {table.recording(clip) for clip in validation} - {None}
    train = tuple(clip for clip in split.train if table.recording(clip) not in held_out)
    kept = {clip.id for clip in (*train, *validation)}
    left_out = tuple(clip for clip in (*split.train, *split.validation) if clip.id not in kept)
    return replace(split, train=train, validation=validation, left_out=left_out)


def _describe_leak(split: Split, leaking: tuple[str, ...], found: Mapping[str, Mapping[str, list[Clip]]]) -> list[str]:
    mend = "put each on one side, or set protocol.allow_leakage: true, which marks the result"
    lines = [f"fold {split.fold}: {len(leaking)} source recordings are on both sides of the split; {mend}"]
    for name in leaking[:_SHOWN_RECORDINGS]:
        clips = [clip for side in found[name].values() for clip in side]
        what = f"source {name}" if {clip.source for clip in clips} == {name} else "equal content"
        sides = (f"{side}: {_some(clips)}" for side, clips in found[name].items())
        lines.append(f"{what}: {'; '.join(sides)}")
    if len(leaking) > _SHOWN_RECORDINGS:
        lines.append(f"... and {len(leaking) - _SHOWN_RECORDINGS} more recordings")
    return lines


def _some(clips: Sequence[Clip]) -> str:
    return some_of([clip.id for clip in clips], _SHOWN_CLIPS)


def _check_counts(units: list[list[Clip]], num_folds: int, classes: Sequence[str], kind: str) -> list[str]:
    """Notes on classes with fewer units than folds. Raises UserError for those that cannot be divided at all."""
    if len(units) < num_folds:
        mend = f"set dataset.num_folds to {len(units)} or less" if len(units) > 1 else "add recordings"
        raise UserError(f"dataset.num_folds: {num_folds} folds of {len(units)} {kind}; {mend}")
    counts = [0] * len(classes)
    for unit in units:
        for label in {label for clip in unit for label in clip.labels}:
            counts[label] += 1
    if alone := [name for name, count in zip(classes, counts, strict=True) if count < 2]:
        mend = "add some, or leave the class out with dataset.exclude_classes"
        one = kind.removesuffix("s")
        raise UserError(*(f"class '{name}': one {one} cannot be both trained on and tested; {mend}" for name in alone))
    return [
        f"class '{name}' has {count} {kind}, fewer than the {num_folds} folds: some folds do not test it"
        for name, count in zip(classes, counts, strict=True)
        if count < num_folds
    ]
