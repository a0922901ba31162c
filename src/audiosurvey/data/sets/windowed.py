"""Recordings with annotated events as a table of windows: a clip for each window, with all of its labels."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from audiosurvey.data.annotations.annotation import Annotation
from audiosurvey.data.annotations.windowing import WindowsConfig, label_windows
from audiosurvey.data.audio.decoding import BadAudio, blocks, probe
from audiosurvey.data.names import stretch_mark
from audiosurvey.data.sets.folder import class_order
from audiosurvey.data.table import Clip, Table
from audiosurvey.errors import number_of

Extent = tuple[int, int]
"""The length of a recording in frames, and its sample rate in Hz."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording as one clip without labels, and its events."""

    clip: Clip
    events: tuple[Annotation, ...]

    @property
    def labels(self) -> set[str]:
        return {event.label for event in self.events}


def extent(path: Path) -> Extent | None:
    """The length of a sound file; None if it cannot be read."""
    try:
        about = probe(path)
        if about.frames is None:
            with blocks(path) as (about, pieces):
                return sum(map(len, pieces)), about.sample_rate
    except (BadAudio, OSError):
        return None
    return (about.frames, about.sample_rate) if about.frames else None


def windowed_table(
    name: str,
    root: Path,
    recordings: Sequence[Recording],
    how: WindowsConfig,
    notes: Sequence[str] = (),
    extent_of: Callable[[Path], Extent | None] = extent,
) -> Table:
    """The windows of all recordings, with several labels per clip; classes are the labels of all events.

    A recording whose length is unknown stays whole: building the store tells why it cannot be read.
    """
    classes = class_order(set[str]().union(*(recording.labels for recording in recordings)))
    index = {label: number for number, label in enumerate(classes)}
    extents = {path: extent_of(path) for path in dict.fromkeys(recording.clip.path for recording in recordings)}
    clips: list[Clip] = []
    for recording in recordings:
        known = extents[recording.clip.path]
        clips += [_whole(recording, index)] if known is None else windows_of(recording, *known, index, how)
    told = [*notes, _about_windows(clips, recordings, how), *_beyond(recordings, extents), *_unheard(clips, classes)]
    return Table(name, root, classes, tuple(clips), multi_label=True, notes=tuple(told))


def windows_of(
    recording: Recording, frames: int, sample_rate: int, index: Mapping[str, int], how: WindowsConfig
) -> list[Clip]:
    """The windows of one recording as clips, whose source is the recording. `index`: the number of each class."""
    whole = recording.clip
    source = whole.source or whole.id
    clips: list[Clip] = []
    for window in label_windows(whole.id, recording.events, frames, sample_rate, how):
        start_s, end_s = window.begin / sample_rate, window.end / sample_rate
        mark = stretch_mark(round(start_s, 6), round(end_s, 6))
        labels = tuple(sorted(index[label] for label in window.labels))
        clips.append(replace(whole, id=whole.id + mark, labels=labels, source=source, start_s=start_s, end_s=end_s))
    return clips


def _whole(recording: Recording, index: Mapping[str, int]) -> Clip:
    labels = tuple(sorted(index[label] for label in recording.labels))
    return replace(recording.clip, labels=labels, source=recording.clip.source or recording.clip.id)


def _about_windows(clips: Sequence[Clip], recordings: Sequence[Recording], how: WindowsConfig) -> str:
    empty = sum(not clip.labels for clip in clips)
    share = "" if how.negatives == 1 else f" ({how.negatives:g} of them were kept)"
    windows = f"{number_of(len(clips), 'window')} of {how.seconds:g} s"
    recorded = number_of(len(recordings), "recording")
    return f"{windows} from {recorded}: {len(clips) - empty} with labels, {empty} without{share}"


def _beyond(recordings: Sequence[Recording], extents: Mapping[Path, Extent | None]) -> list[str]:
    """A note on events after the end of their recording: the table may be that of another one."""
    found: list[str] = []
    for recording in recordings:
        if known := extents[recording.clip.path]:
            seconds = known[0] / known[1]
            found += [
                f"{recording.clip.id}, '{event.label}' at {event.start_s:g} s of {seconds:g} s"
                for event in recording.events
                if event.start_s >= seconds
            ]
    if not found:
        return []
    begin = number_of(len(found), "event begins after the end of its", "events begin after the end of their")
    return [f"{begin} recording, first {found[0]}; check that the table belongs to the recording"]


def _unheard(clips: Sequence[Clip], classes: Sequence[str]) -> list[str]:
    """A note on classes whose events are in no window by the share that is needed."""
    used = {label for clip in clips for label in clip.labels}
    unheard = [name for label, name in enumerate(classes) if label not in used]
    mend = "lower dataset.windows.min_overlap or dataset.windows.hop"
    return [f"no window has the label {', '.join(unheard)}; {mend}"] if unheard else []
