"""What the headers of a data set's files say: how long its clips are, at which rates they were recorded, how many clips
each class has. No sound is decoded."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from audiosurvey.data.annotations.reading import read_annotations
from audiosurvey.data.audio.bad_audio import BadAudio
from audiosurvey.data.audio.decoding import probe
from audiosurvey.data.dataset import DatasetConfig, load_table
from audiosurvey.data.sets.folder import sound_files
from audiosurvey.data.splits.cut_names import PATTERN, find_cut_names
from audiosurvey.data.table import Clip, Table, clips_by_class
from audiosurvey.errors import number_of

_MOST_PROBED = 1000


@dataclass(frozen=True)
class DataProfile:
    """Measures of a data set."""

    clips: int
    counts: dict[str, int]
    """Clips of each class, in the order of the classes."""
    recordings: dict[str, int]
    """Source recordings of each class; a clip without a source is its own."""
    multi_label: bool
    divided: bool
    """Whether the data has folds or sides of its own."""
    folds: int
    """The number of these folds; 0 without."""
    train_share: float
    """Share of the clips that train, if the data divides itself; 0 otherwise."""
    seconds: tuple[float, ...]
    """Lengths of the clips that were looked at, ascending."""
    rates_hz: tuple[int, ...]
    """Sample rates of their files, ascending."""
    cut: bool
    """Whether the clips are windows of recordings (`dataset.windows`), of a length that the config gives."""
    source_pattern: str | None
    """The `dataset.source_pattern` that the names of the files suggest."""

    def seconds_at(self, share: float) -> float:
        """The length that this share of the clips does not exceed."""
        return quantile(self.seconds, share)


def quantile(ascending: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed."""
    return ascending[max(0, int(np.ceil(share * len(ascending))) - 1)]


def profile_data(dataset: DatasetConfig) -> DataProfile:
    """Looks at a data set: its table, and the headers of up to a thousand files.

    Raises UserError for missing data, a faulty table, and fewer than two classes.
    """
    return _profile(load_table(dataset, make_folds=False), cut=dataset.windows is not None)


def event_seconds(dataset: DatasetConfig) -> tuple[float, ...]:
    """The lengths of the events that the tables of annotated recordings (`name: raven`) list, ascending."""
    root = dataset.resolved_root()
    table = dataset.resolved_table() if dataset.table else root
    recordings = read_annotations(table, lambda folder: list(sound_files(folder)))
    return tuple(sorted(event.seconds for recording in recordings for event in recording.events))


def _profile(table: Table, *, cut: bool) -> DataProfile:
    by_class = clips_by_class(table.clips, len(table.classes))
    sides = Counter(clip.side for clip in table.clips if clip.side)
    folds = len(table.folds)
    train = sides["train"] / len(table.clips) if sides else (folds - 1) / folds if folds else 0.0
    seconds, rates = _headers(table.clips)
    cuts = find_cut_names(table)
    return DataProfile(
        clips=len(table.clips),
        counts={name: len(clips) for name, clips in zip(table.classes, by_class, strict=True)},
        recordings={
            name: len({table.recording(clip) or clip.id for clip in clips})
            for name, clips in zip(table.classes, by_class, strict=True)
        },
        multi_label=table.multi_label,
        divided=bool(folds),
        folds=folds,
        train_share=train,
        seconds=tuple(sorted(seconds)),
        rates_hz=tuple(sorted(rates)),
        cut=cut,
        source_pattern=PATTERN if cuts and table.name == "folder" else None,
    )


def _headers(clips: Sequence[Clip]) -> tuple[list[float], list[int]]:
    """Lengths and sample rates of clips spread over the table; those that cannot be read are left out."""
    step = -(-len(clips) // _MOST_PROBED) or 1
    seconds: list[float] = []
    rates: list[int] = []
    for clip in clips[::step]:
        try:
            about = probe(clip.path)
        except (BadAudio, OSError):
            continue
        rates.append(about.sample_rate)
        end_s = clip.end_s if clip.end_s is not None else about.seconds
        if end_s is not None and end_s > (clip.start_s or 0.0):
            seconds.append(end_s - (clip.start_s or 0.0))
    return seconds, rates


def about(seen: DataProfile) -> str:
    """A profile in a few words: `60 clips, 5 classes of 12 clips, 0.3 to 0.45 s, 8000 Hz`."""
    sizes = sorted(seen.counts.values())
    each = f"of {sizes[0]} to {sizes[-1]} clips" if sizes[0] < sizes[-1] else f"of {number_of(sizes[0], 'clip')}"
    words = [number_of(seen.clips, "clip"), f"{number_of(len(sizes), 'class', 'classes')} {each}"]
    if seen.seconds:
        shortest, longest = f"{seen.seconds[0]:.3g}", f"{seen.seconds[-1]:.3g}"
        words.append(f"{shortest} s" if shortest == longest else f"{shortest} to {longest} s")
    if rates := dict.fromkeys(map(str, seen.rates_hz)):
        words.append(f"{' and '.join(rates)} Hz" if len(rates) < 3 else f"{next(iter(rates))} to {[*rates][-1]} Hz")
    return ", ".join(words)
