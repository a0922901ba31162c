"""Clips of a prediction as files: chosen events cut out of their recordings, and a table of them, `clips.csv`.

The folder is whole or not there. Its table is a data set: `dataset: {name: csv, root: FOLDER}`. Labels are corrected in
it; the source of a clip is its recording, so that folds keep the clips of one recording together.
"""

import csv
import io
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

import numpy as np
import soundfile

from audiosurvey.atomic import naming, write_text
from audiosurvey.data.audio.content_hash import fingerprints
from audiosurvey.data.audio.decoding import BadAudio, blocks
from audiosurvey.data.audio.sound_file import Probe
from audiosurvey.data.names import as_text
from audiosurvey.data.sets.csv_table import label_cell
from audiosurvey.data.splits.recordings import source_of_file
from audiosurvey.prediction.clip_choice import ChosenEvent, ClipChoice
from audiosurvey.prediction.clip_names import ClipNames
from audiosurvey.prediction.postprocessing import FailedSound, Prediction
from audiosurvey.prediction.sources import FileSource
from audiosurvey.prediction.writers import PredictionWriter

TABLE = "clips.csv"
LONGEST_S = 60.0
"""Of a longer event, the middle of this length is cut out."""
_COLUMNS = ("path", "label", "source", "recording", "start_s", "end_s", "score")
"""The first three are those of `dataset.columns`; `start_s` and `end_s` are times in the recording."""
_FINE = {"PCM_24", "PCM_32", "FLOAT", "DOUBLE", "DWVW_24", "ALAC_24", "ALAC_32"}
"""Encodings with more than 16 bits."""


@dataclass
class WrittenClips:
    """What was written: nothing (`num_clips` 0) if there was no event."""

    folder: Path
    num_clips: int = 0
    num_labels: int = 0
    failures: list[FailedSound] = field(default_factory=list)
    """Recordings whose clips could not be cut out."""


class ChoosingWriter(PredictionWriter):
    """Hands predictions on to another writer, and to the choice of clips."""

    def __init__(self, writer: PredictionWriter, choice: ClipChoice) -> None:
        self.begin, self.end = writer.begin, writer.end
        self._writer, self._choice = writer, choice

    def write(self, prediction: Prediction) -> None:
        self._writer.write(prediction)
        self._choice.add(prediction)


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Yields a hidden folder beside `folder`, which becomes `folder` when the block succeeds and it was made.

    If the block fails, nothing is left of it.
    """
    beside = folder.absolute().with_name(f".{folder.absolute().name}.tmp")
    # What a process left that was killed.
    shutil.rmtree(beside, ignore_errors=True)
    try:
        yield beside
        if beside.is_dir():
            if folder.is_dir():
                folder.rmdir()  # empty, as was checked before
            beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def write_clips(beside: Path, folder: Path, choice: ClipChoice, sources: Sequence[FileSource]) -> WrittenClips:
    """Write the chosen events into `beside`, which is made for them and will become `folder`."""
    written, events = WrittenClips(folder), choice.events()
    if not events:
        return written
    beside.mkdir(parents=True)
    paths = {source.name: source.path for source in sources}
    names = ClipNames(list(paths.values()))
    digests = fingerprints([paths[name] for name in dict.fromkeys(event.sound for event in events)])
    rows: list[list[str]] = []
    labels: set[str] = set()
    for sound, of_sound in groupby(events, lambda event: event.sound):
        path, fingerprint = paths[sound], digests[paths[sound]]
        short = [_middle(event) for event in of_sound]
        clips = [_Clip(event, beside / f"{names.name(path, event)}.wav") for event in short]
        try:
            _cut(path, clips)
        except BadAudio as bad:
            lost = "not all clips of it" if any(clip.frames for clip in clips) else "no clips of it"
            written.failures.append(FailedSound(sound, f"{lost}: {bad.reason}"))
        source = source_of_file(fingerprint.digest) if fingerprint else as_text(sound)
        cut = [clip for clip in clips if clip.frames]
        rows += [clip.row(source) for clip in cut]
        labels |= {clip.event.labels[0] for clip in cut}
    written.num_clips, written.num_labels = len(rows), len(labels)
    if rows:
        _write_table(beside / TABLE, rows)
    else:
        shutil.rmtree(beside)
    return written


def _write_table(path: Path, rows: Sequence[Sequence[str]]) -> None:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_COLUMNS)
    table.writerows(rows)
    write_text(path, text.getvalue())


def _middle(event: ChosenEvent) -> ChosenEvent:
    """The event, or its middle if it is too long."""
    spare_s = max(0.0, event.end_s - event.start_s - LONGEST_S) / 2
    return replace(event, start_s=event.start_s + spare_s, end_s=event.end_s - spare_s)


@dataclass
class _Clip:
    """A clip, and its file."""

    event: ChosenEvent
    path: Path
    frames: int = 0
    """Written so far."""

    def at(self, rate: int) -> tuple[int, int]:
        """The first frame, and the one after the last, at a sample rate."""
        return round(self.event.start_s * rate), round(self.event.end_s * rate)

    def row(self, source: str) -> list[str]:
        event = self.event
        times = [f"{event.start_s:.3f}", f"{event.end_s:.3f}"]
        return [self.path.name, label_cell(event.labels), source, as_text(event.sound), *times, f"{event.score:.6f}"]


def _cut(recording: Path, clips: Sequence[_Clip]) -> None:
    """Write the clips, in one pass over their recording: all channels at its own rate.

    Raises BadAudio if one of them is not there; what was written before a fault of the recording is kept.
    """
    first_s, last_s = min(clip.event.start_s for clip in clips), max(clip.event.end_s for clip in clips)
    try:
        with blocks(recording, start_s=first_s, end_s=last_s, cut=True) as (about, pieces):
            _cut_pieces(about, pieces, round(first_s * about.sample_rate), clips)
    except BadAudio:
        if not all(clip.frames for clip in clips):
            raise


def _cut_pieces(about: Probe, pieces: Iterable[np.ndarray], place: int, clips: Sequence[_Clip]) -> None:
    """Write the clips from consecutive pieces (S, C) of a recording, the first of which begins at frame `place`."""
    waiting = sorted(clips, key=lambda clip: clip.event.start_s, reverse=True)
    open_clips: list[tuple[_Clip, soundfile.SoundFile]] = []
    with ExitStack() as stack:
        for x_SC in pieces:
            next_place = place + len(x_SC)
            while waiting and waiting[-1].at(about.sample_rate)[0] < next_place:
                clip = waiting.pop()
                open_clips.append((clip, stack.enter_context(_new_file(clip.path, about))))
            unfinished = []
            for clip, file in open_clips:
                begin, end = clip.at(about.sample_rate)
                _write(clip, file, x_SC[max(0, begin - place) : max(0, end - place)])
                if end > next_place:
                    unfinished.append((clip, file))
                else:
                    file.close()
            open_clips, place = unfinished, next_place


def _new_file(path: Path, about: Probe) -> soundfile.SoundFile:
    subtype = "FLOAT" if about.subtype in _FINE else "PCM_16"
    return soundfile.SoundFile(path, "w", about.sample_rate, about.channels, subtype, format="WAV")


def _write(clip: _Clip, file: soundfile.SoundFile, x_SC: np.ndarray) -> None:
    if file.subtype == "PCM_16":
        # As libsndfile reads them, so that samples of 16 bits stay what they are.
        x_SC = np.clip(np.round(x_SC * 32768), -32768, 32767).astype(np.int16)
    with naming(clip.path):
        file.write(x_SC)
    clip.frames += len(x_SC)
