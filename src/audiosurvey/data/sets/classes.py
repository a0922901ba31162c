"""Selection of a data set's classes."""

import difflib
from collections.abc import Sequence
from dataclasses import replace

from audiosurvey.data.table import Table
from audiosurvey.errors import UserError

MOST_SHOWN = 10
"""Names of classes in one message."""


def kept_classes(
    classes: Sequence[str], wanted: Sequence[str] | None, excluded: Sequence[str] | None
) -> tuple[str, ...]:
    """Those of `classes` that are wanted (None: all) and not excluded, in the order of `classes`."""
    return tuple(name for name in classes if (wanted is None or name in wanted) and name not in (excluded or ()))


def select_classes(table: Table, wanted: Sequence[str] | None, excluded: Sequence[str] | None) -> Table:
    """The table with the clips of the selected classes. A multi-label table keeps all its clips, those of no selected
    class as negatives.

    Raises UserError with a line for every class that the table does not have.
    """
    if wanted is None and excluded is None:
        return table
    faults = [
        f"dataset.{key}: {fault}"
        for key, names in (("classes", wanted), ("exclude_classes", excluded))
        for fault in unknown_classes(names or [], table.classes)
    ]
    if faults:
        raise UserError(*faults)
    classes = kept_classes(table.classes, wanted, excluded)
    index = {table.classes.index(name): label for label, name in enumerate(classes)}
    clips = tuple(
        replace(clip, labels=tuple(index[label] for label in clip.labels if label in index))
        for clip in table.clips
        if table.multi_label or any(label in index for label in clip.labels)
    )
    note = f"selected: {len(classes)} of {len(table.classes)} classes, {len(clips)} of {len(table.clips)} clips"
    if negative := sum(not clip.labels for clip in clips):
        note += f", {negative} of them of no selected class"
    return replace(table, classes=classes, clips=clips, official=False, notes=(*table.notes, note))


def unknown_classes(names: Sequence[str], known: Sequence[str]) -> list[str]:
    """A fault for every unknown name, with the nearest known one; if there is none, the list of known ones."""
    lower = {name.lower(): name for name in known}
    faults: list[str] = []
    list_known = False
    for name in (name for name in names if name not in known):
        near = difflib.get_close_matches(name.lower().replace(" ", "_"), lower, n=1)
        faults.append(f"unknown class '{name}'" + (f"; did you mean '{lower[near[0]]}'?" if near else ""))
        list_known = list_known or not near
    if list_known:
        more = f", ... ({len(known)} in all)" if len(known) > MOST_SHOWN else ""
        faults[-1] += f"; known: {', '.join(known[:MOST_SHOWN])}{more}"
    return faults
