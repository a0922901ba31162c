"""The sounds of no class of a data set, divided as its clips are: no recording is on both sides of a split.

They have the folds, or the sides, of the data set. A recording that clips of a class were cut from too is in the fold
of these clips. A sound that is a clip of a class at the same time is left out.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from audiosurvey.data.other.reading import KEY, is_made
from audiosurvey.data.other.settings import OtherConfig
from audiosurvey.data.splits.folds import Split
from audiosurvey.data.splits.recordings import Contents, equal_contents, file_of, recordings_of
from audiosurvey.data.store.store import Skipped
from audiosurvey.data.table import Clip, Table
from audiosurvey.errors import UserError, number_of
from audiosurvey.randomness import stream

_SHARES: tuple[tuple[str, int], ...] = (("train", 3), ("val", 1), ("test", 1))
"""Of five recordings, how many are on each side of a table with sides."""


@dataclass(frozen=True)
class OtherSplit:
    """The sounds of no class in one fold."""

    train: tuple[Clip, ...] = ()
    validation: tuple[Clip, ...] = ()
    test: tuple[Clip, ...] = ()


@dataclass(frozen=True)
class Others:
    """Sounds of no class, all of them readable."""

    config: OtherConfig
    clips: tuple[Clip, ...]
    recordings: Mapping[str, str] = field(default_factory=dict)
    """The recording of each id, of the clips of the classes too."""
    notes: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    """Those that cannot be read."""

    def split(self, split: Split) -> OtherSplit:
        """Those that train, validate and are tested with the clips of a split.

        They are where the clips of their fold are. One of a recording that is tested or validated does not train, and
        one of a recording that is trained on is not tested.
        """
        tested, validated = self._on_side(split.test), self._on_side(split.validation)
        trained = self._on_side(split.train)
        held_out = self._recordings((*tested, *validated, *split.test, *split.validation))
        train = self._apart(trained, held_out)
        known = self._recordings((*train, *split.train))
        test = self._apart(tested, known)
        return OtherSplit(train, self._apart(validated, known | self._recordings((*test, *split.test))), test)

    @property
    def divided(self) -> tuple[Clip, ...]:
        """Those in a fold or on a side: all that the final model is trained on."""
        return tuple(clip for clip in self.clips if clip.fold is not None or clip.side is not None)

    def _on_side(self, clips: Iterable[Clip]) -> tuple[Clip, ...]:
        places = {_place(clip) for clip in clips}
        return tuple(clip for clip in self.clips if _place(clip) in places)

    def _recordings(self, clips: Iterable[Clip]) -> set[str | None]:
        return {self.recordings.get(clip.id, clip.source) for clip in clips} - {None}

    def _apart(self, clips: Iterable[Clip], recordings: set[str | None]) -> tuple[Clip, ...]:
        return tuple(clip for clip in clips if self.recordings.get(clip.id, clip.source) not in recordings)


def divide_others(
    config: OtherConfig, clips: Sequence[Clip], table: Table, contents: Contents, skipped: Sequence[Skipped] = ()
) -> Others:
    """Sounds of no class with the folds or sides of `table`, which is divided; all clips are readable.

    Raises UserError for folds that the data set does not have, and if no sound is left.
    """
    kept, equal = _without_clips(clips, table, contents)
    if not kept:
        if equal:
            raise UserError(f"{KEY}: all {number_of(equal, 'sound')} are clips of the data set; give other sounds")
        raise UserError(f"{KEY}: none of its sounds can be read, the first is {_first(skipped)}")
    recordings = recordings_of((*table.clips, *kept), contents)
    divided = _divided(kept, table, recordings)
    given = sum(not is_made(clip.id) for clip in divided)
    notes = [f"{number_of(given, 'sound')} of no class, and {len(divided) - given} made ones"]
    if equal:
        notes.append(f"{KEY}: {number_of(equal, 'sound')} left out, with the content of clips of the classes")
    if skipped:
        notes.append(f"{KEY}: {number_of(len(skipped), 'sound')} left out that cannot be read, first {_first(skipped)}")
    return Others(config, divided, recordings, tuple(notes), tuple(skipped))


def _first(skipped: Sequence[Skipped]) -> str:
    return f"{skipped[0].id} ({skipped[0].reason})"


def _without_clips(clips: Sequence[Clip], table: Table, contents: Contents) -> tuple[tuple[Clip, ...], int]:
    """The sounds without those that are, or overlap with, clips of the table; and how many those are."""
    copies = equal_contents((*table.clips, *clips), contents)
    same = {clip.id for group in copies if not all(clip.other for clip in group) for clip in group}
    stretches: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for clip in table.clips:
        stretches[file_of(contents.digest(clip.id))].append(_stretch(clip))

    def overlaps(clip: Clip) -> bool:
        begin, end = _stretch(clip)
        there = stretches.get(file_of(contents.digest(clip.id)), [])
        return any(begin < other_end and other_begin < end for other_begin, other_end in there)

    kept = tuple(clip for clip in clips if clip.id not in same and not overlaps(clip))
    return kept, len(clips) - len(kept)


def _stretch(clip: Clip) -> tuple[float, float]:
    return clip.start_s or 0.0, float("inf") if clip.end_s is None else clip.end_s


def _place(clip: Clip) -> int | str | None:
    return clip.side if clip.side is not None else clip.fold


def _divided(clips: Sequence[Clip], table: Table, recordings: Mapping[str, str]) -> tuple[Clip, ...]:
    sided = any(clip.side for clip in table.clips)
    given = [clip for clip in clips if _place(clip) is not None]
    if given:
        _refuse_other_division(given, table, sided)
    homes = _homes(table, recordings)
    place_of: dict[str, int | str] = {}
    units: defaultdict[str, list[Clip]] = defaultdict(list)
    for clip in sorted(clips, key=lambda clip: clip.id):
        if _place(clip) is None:
            units[recordings.get(clip.id, clip.id)].append(clip)
    places: list[int | str] = [side for side, share in _SHARES for _ in range(share)] if sided else list(table.folds)
    filled = [0] * len(places)
    names = list(units)
    # Made sounds last and in order, so that each kind is in all folds; the largest recordings first.
    order = [names[row] for row in stream(0, "folds of other sounds").permutation(len(names))]
    order.sort(key=lambda name: (is_made(name), -len(units[name])))
    made = sorted(name for name in names if is_made(name))
    turns = {name: turn % len(places) for turn, name in enumerate(made)}
    for name in order:
        if name in homes:
            place: int | str = homes[name]
        else:
            row = turns[name] if name in turns else min(range(len(places)), key=lambda at: (filled[at], at))
            filled[row] += len(units[name])
            place = places[row]
        place_of |= {clip.id: place for clip in units[name]}
    return tuple(_placed(clip, place_of.get(clip.id)) for clip in clips)


def _homes(table: Table, recordings: Mapping[str, str]) -> dict[str, int | str]:
    """The fold or side of each recording of the classes; the first one of a recording in several."""
    found: dict[str, int | str] = {}
    for clip in table.clips:
        place = _place(clip)
        if place is not None and (name := recordings.get(clip.id)) is not None:
            found.setdefault(name, place)
    return found


def _placed(clip: Clip, place: int | str | None) -> Clip:
    if place is None:
        return clip
    if isinstance(place, int):
        return replace(clip, fold=place)
    return replace(clip, side={"train": "train", "val": "val", "test": "test"}[place])


def _refuse_other_division(given: Sequence[Clip], table: Table, sided: bool) -> None:
    first = given[0]
    if sided != (first.side is not None):
        has, gives = ("train and test sides", "folds") if sided else ("folds", "sides")
        raise UserError(f"{KEY}: its table gives {gives}, but the data set has {has}; leave that column out")
    unknown = sorted({clip.fold for clip in given if clip.fold is not None} - set(table.folds)) if not sided else []
    if unknown:
        there = ", ".join(map(str, table.folds))
        raise UserError(f"{KEY}: its table has fold {unknown[0]}, but the folds of the data set are {there}")
