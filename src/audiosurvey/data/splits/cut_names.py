"""File names that look like cuts of one recording: `site1_0001.wav`, `site1_0002.wav`, `site2_0001.wav`.

Cuts of one recording on both sides of a split make a score too good. Only names can tell of them where the data names
no sources, so this is a guess, told as one: consecutive numbers after a name that several clips share, several such
names in each class, and names that are neither a class nor a date.
"""

import re
from collections import defaultdict
from dataclasses import dataclass

from audiosurvey.data.names import composed
from audiosurvey.data.table import Clip, Table

PATTERN = r"^(.+)[-_ ]\d+\.\w+$"
"""The `dataset.source_pattern` for such names."""
_NUMBERED = re.compile(r"^(.+)[-_ ](\d{1,9})\.\w+$")
_MONTH = re.compile(r"(19|20)\d\d[-_. ]?(0[1-9]|1[0-2])$")
_LEAST_RECORDINGS = 3
_OWN = ("folder", "csv")


@dataclass(frozen=True, slots=True)
class CutNames:
    """What the names suggest."""

    clips: int
    """Clips that look like cuts."""
    recordings: int
    first: tuple[str, str]
    """Ids of two clips that look like cuts of one recording."""
    mend: str

    def __str__(self) -> str:
        one, other = self.first
        return (
            f"the names of {self.clips} clips look like cuts of {self.recordings} recordings ({one}, {other}), which "
            f"may be on both sides of a split; if they are, {self.mend}"
        )


def find_cut_names(table: Table) -> CutNames | None:
    """What the names of a table without sources and without folds of its own suggest; None if nothing."""
    clips = table.clips
    known = any(clip.source is not None or clip.fold is not None or clip.side is not None for clip in clips)
    if table.name not in _OWN or known:
        return None
    words = {_letters(name) for name in table.classes}
    by_name: dict[str, list[tuple[int, Clip]]] = defaultdict(list)
    for clip in clips:
        found = _NUMBERED.match(composed(clip.path.name))
        if found and _letters(found[1]) not in words and not _MONTH.search(found[1]):
            by_name[found[1]].append((int(found[2]), clip))
    cuts = {name: numbered for name, numbered in by_name.items() if _is_consecutive([n for n, _ in numbered])}
    grouped = {clip.id: name for name, numbered in cuts.items() for _, clip in numbered}
    if len(cuts) < _LEAST_RECORDINGS or 2 * len(grouped) < len(clips):
        return None
    for label in range(len(table.classes)):
        # With all clips of a class from one recording, the class could not be both trained and tested.
        if len({grouped.get(clip.id, clip.id) for clip in clips if label in clip.labels}) < 2:
            return None
    largest = max(cuts.values(), key=len)
    one, other = (clip.id for _, clip in sorted(largest, key=lambda each: (each[0], each[1].id))[:2])
    mend = f"set dataset.source_pattern: '{PATTERN}'" if table.name == "folder" else "name them in a column `source`"
    return CutNames(len(grouped), len(cuts), (one, other), mend)


def _is_consecutive(numbers: list[int]) -> bool:
    """Whether these are several numbers in a row, at most half of which is missing."""
    return len(numbers) > 1 and max(numbers) - min(numbers) < 2 * len(numbers)


def _letters(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold()
