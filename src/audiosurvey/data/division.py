"""Folds and recordings of the readable clips, once the contents of their files are known."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from audiosurvey.data.splits.cut_names import find_cut_names
from audiosurvey.data.splits.folds import assign_folds, note_spread_recordings
from audiosurvey.data.splits.recordings import Contents, equal_contents, recordings_of
from audiosurvey.data.store.store import Skipped
from audiosurvey.data.table import Clip, Table, clips_by_class
from audiosurvey.errors import UserError

_SHOWN_FILES = 5
_SHOWN_GROUPS = 5


class ContentsWithSkipped(Contents, Protocol):
    """A store, or its stand-in."""

    skipped: tuple[Skipped, ...]


def divided(whole: Table, usable: Table, store: ContentsWithSkipped, num_folds: int) -> Table:
    """`usable`, which is `whole` without the skipped clips, with folds, the recording of each clip, and notes.

    Raises UserError for a class that cannot be trained or tested without the skipped files, and for classes too small
    to be divided.
    """
    _refuse_lost_classes(whole, usable, store.skipped)
    clips, recordings = usable.clips, recordings_of(usable.clips, store)
    copies = equal_contents(clips, store)
    notes = list(usable.notes)
    if not usable.multi_label:
        notes += _contradictions(usable, copies)
    if usable.folds:
        notes += _unbalanced(usable)
    else:
        if cuts := find_cut_names(usable):
            notes.append(str(cuts))
        clips, made = assign_folds(clips, num_folds, usable.classes, recordings)
        notes += made
        if copies:
            count = sum(map(len, copies))
            notes.append(f"{count} clips have the same content as another clip: copies are kept in one fold")
    return note_spread_recordings(replace(usable, clips=clips, recordings=recordings, notes=tuple(notes)))


def _refuse_lost_classes(whole: Table, usable: Table, skipped: Sequence[Skipped]) -> None:
    reasons = {bad.id: bad.reason for bad in skipped}
    lines: list[str] = []
    if not reasons:
        return
    sides = (clips_by_class(table.clips, len(whole.classes)) for table in (whole, usable))
    for name, before, after in zip(whole.classes, *sides, strict=True):
        lost = [clip for clip in before if clip.id in reasons]
        if not lost or (after and (_is_divisible(after) or not _is_divisible(before))):
            continue
        left = "none is left" if not after else f"the {len(after)} left cannot be both trained on and tested"
        mend = "repair the files, or leave the class out with dataset.exclude_classes"
        lines.append(f"class '{name}': {len(lost)} of its {len(before)} clips cannot be read, {left}; {mend}")
        lines += [f"  {clip.id}: {reasons[clip.id]}" for clip in lost[:_SHOWN_FILES]]
        if len(lost) > _SHOWN_FILES:
            lines.append(f"  ... and {len(lost) - _SHOWN_FILES} more")
    if lines:
        raise UserError(*lines)


def _is_divisible(clips: Sequence[Clip]) -> bool:
    """Whether some of these clips can be trained on and others tested."""
    if any(clip.side for clip in clips):
        return {"train", "test"} <= {clip.side for clip in clips}
    if any(clip.fold is not None for clip in clips):
        return len({clip.fold for clip in clips} - {None}) > 1
    return len(clips) > 1


def _unbalanced(table: Table) -> list[str]:
    """Notes on classes that the table's own folds or sides leave untrained or untested."""
    clips_of = dict(zip(table.classes, clips_by_class(table.clips, len(table.classes)), strict=True))
    if any(clip.side for clip in table.clips):
        notes = []
        for side, what in (("train", "tested without being trained"), ("test", "never tested")):
            lacking = [name for name, clips in clips_of.items() if all(clip.side != side for clip in clips)]
            if lacking:
                notes.append(f"classes without a clip marked '{side}', which are {what}: {', '.join(lacking)}")
        return notes
    folds_of = {name: {c.fold for c in clips if c.fold is not None} for name, clips in clips_of.items()}
    alone = [f"{name} (fold {min(folds)})" for name, folds in folds_of.items() if len(folds) == 1]
    note = f"classes in one fold alone, where they are tested without being trained: {', '.join(alone)}"
    return [note] if alone else []


def _contradictions(table: Table, copies: Sequence[Sequence[Clip]]) -> list[str]:
    """A note on clips of equal content with different labels."""
    found = [same for same in copies if len({clip.labels for clip in same}) > 1]
    if not found:
        return []
    shown = [" = ".join(f"{clip.id} ({table.classes[clip.labels[0]]})" for clip in same) for same in found]
    more = f"; and {len(found) - _SHOWN_GROUPS} more" if len(found) > _SHOWN_GROUPS else ""
    mend = "correct the labels, or list them in dataset.ignore"
    return [f"{len(found)} sounds have two labels: {'; '.join(shown[:_SHOWN_GROUPS])}{more}; {mend}"]
