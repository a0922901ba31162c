"""The log of an unfinished prediction, from which an interrupted run continues.

`OUTPUT.journal` contains scores rather than predictions: a first line with all that scores depend on, then a line of
JSON for each group of windows scored together. Predictions are computed from them again, so that the output equals that
of an uninterrupted run to the byte, and thresholds, smoothing and format may differ between the runs. An incomplete
last line is dropped. Sounds that changed (size, times or inode) are scored again. The log is removed when the output is
complete.
"""

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from audiosurvey.artefact.classifier import Classifier
from audiosurvey.atomic import naming
from audiosurvey.data.audio.measures import Measures
from audiosurvey.errors import ArgumentError, UserError
from audiosurvey.prediction.sources import FileSource, SoundSource
from audiosurvey.prediction.stream import WindowScores
from audiosurvey.prediction.window_scoring import WindowGroup, Windowing
from audiosurvey.version import __version__

FORMAT = 3
_BEGIN = b'{"journal":'
"""Beginning of every log; a file that begins otherwise is not touched."""
_BAD_LINE = (ValueError, KeyError, TypeError, AttributeError)


class PredictionLog:
    """The log of one output. Opening it reads what is there; `write` appends."""

    def __init__(
        self, output: Path, model: str, how: Windowing, sources: Sequence[FileSource], *, restart: bool = False
    ) -> None:
        """`model`: its digest; `restart`: discard an existing log.

        Raises UserError for a log with another model or other windows, and if another process is writing it.
        """
        self.path = output.with_name(output.name + ".journal")
        self.done: set[int] = set()
        """Indices of the sounds that are scored completely."""
        self.num_windows: dict[int, int] = {}
        """Windows in the log, by index of the sound."""
        self._sources = sources
        self._index = {source.name: sound for sound, source in enumerate(sources)}
        self._places: dict[int, list[tuple[int, int]]] = {}
        self._lock = FileLock(self.path.with_name(self.path.name + ".lock"))
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise ArgumentError(
                f"{output}: another process is writing it; choose another {{output}}", output=...
            ) from None
        try:
            self._refuse_other_file()
            if restart:
                self.path.unlink(missing_ok=True)
            self._file = self.path.open("a+b")
            with naming(self.path):
                self._read(_first_line(model, how))
        except BaseException:
            self._release()
            raise

    @property
    def num_done(self) -> int:
        """Number of sounds that are scored completely."""
        return len(self.done)

    def groups(self, sound: int) -> Iterator[WindowGroup]:
        """The recorded windows of a sound, read one group at a time."""
        for place, number in self._places.get(sound, []):
            self._file.seek(place)
            yield _from_entry(sound, json.loads(self._file.readline())["portions"][number])

    def write(self, groups: Sequence[WindowGroup]) -> None:
        """Append groups scored together, and flush."""
        entries = [_entry(self._sources[group.sound], group) for group in groups]
        with naming(self.path):
            self._file.seek(0, 2)
            self._file.write(json.dumps({"portions": entries}).encode() + b"\n")
            self._file.flush()

    def close(self, *, finished: bool) -> None:
        """Close the log. `finished`: the output is complete, remove the log."""
        try:
            # On a full disk closing fails like the last write.
            with naming(self.path):
                self._file.close()
            if finished:
                self.path.unlink(missing_ok=True)
        finally:
            self._release()

    def _release(self) -> None:
        self._lock.release()
        Path(self._lock.lock_file).unlink(missing_ok=True)

    def _refuse_other_file(self) -> None:
        """Raise UserError for a file of this name that is not a log: it must not be emptied or removed."""
        try:
            with self.path.open("rb") as file:
                begin = file.read(len(_BEGIN))
        except FileNotFoundError:
            return
        if not _BEGIN.startswith(begin):
            raise UserError(f"{self.path}: not a journal of predict; move it away")

    def _read(self, first: dict[str, Any]) -> None:
        self._file.seek(0)
        head = self._file.readline()
        if not head.endswith(b"\n"):
            self._file.truncate(0)
            self._file.write(json.dumps(first).encode() + b"\n")
            self._file.flush()
            return
        self._check_first_line(head, first)
        while True:
            place = self._file.tell()
            line = self._file.readline()
            try:
                entries = json.loads(line)["portions"] if line.endswith(b"\n") else None
            except _BAD_LINE:
                entries = None
            if entries is None:
                # The end, or an incomplete last line.
                self._file.truncate(place)
                return
            try:
                for number, entry in enumerate(entries):
                    _from_entry(0, entry)
                    self._register(entry, place, number)
            except _BAD_LINE:
                raise ArgumentError(
                    f"{self.path}: damaged in the line at byte {place}; give {{restart}} to start over", restart=True
                ) from None

    def _register(self, entry: dict[str, Any], place: int, number: int) -> None:
        sound = self._index.get(entry["name"])
        stamp = None if sound is None else self._sources[sound].stamp
        if sound is None or stamp is None or list(stamp) != entry["stamp"]:
            return
        self._places.setdefault(sound, []).append((place, number))
        self.num_windows[sound] = self.num_windows.get(sound, 0) + len(entry["spans"])
        if entry["done"]:
            self.done.add(sound)

    def _check_first_line(self, head: bytes, first: dict[str, Any]) -> None:
        try:
            before = json.loads(head)
            differing = [name for name in first if before.get(name) != first[name]]
        except (ValueError, AttributeError):
            raise UserError(f"{self.path}: not a journal of predict; move it away") from None
        if not differing:
            return
        described = {"model": "another model", "journal": "another version", "version": "another version"}
        changes = [described.get(name, f"{name} {before.get(name)} instead of {first[name]}") for name in differing]
        raise ArgumentError(
            f"{self.path}: left by a run with {', '.join(dict.fromkeys(changes))}; finish it, or give {{restart}} "
            "to start over",
            restart=True,
        )


@contextmanager
def open_prediction_log(
    output: Path | None, model: str, how: Windowing, sources: Sequence[SoundSource], restart: bool
) -> Iterator[PredictionLog | None]:
    """The log of this output, removed at success. None without an output file, and for pipes and microphones."""
    files = [source for source in sources if isinstance(source, FileSource) and source.name != "-"]
    if output is None or len(files) < len(sources):
        yield None
        return
    log = PredictionLog(output, model, how, files, restart=restart)
    finished = False
    try:
        yield log
        finished = True
    finally:
        log.close(finished=finished)


def model_digest(model: Classifier, path: Path) -> str:
    """A hash of model.json, which contains the hashes of a model folder, and of an exported file."""
    digest = hashlib.sha256(json.dumps(model.facts, sort_keys=True).encode())
    if path.is_file():
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _first_line(model: str, how: Windowing) -> dict[str, Any]:
    """What scores depend on, besides the sounds."""
    return {
        "journal": FORMAT,
        "version": __version__,
        "model": model,
        "mode": how.mode,
        "window": how.window_s,
        "hop": how.hop_s,
        "batch size": how.batch_size,
    }


def _entry(source: FileSource, group: WindowGroup) -> dict[str, Any]:
    scores_NK = np.array([window.score_K for window in group.windows], "<f4")
    return {
        "name": source.name,
        "stamp": source.stamp,
        "whole": group.whole,
        "done": group.done,
        "fault": group.fault,
        "spans": [[window.start_s, window.end_s, window.windows] for window in group.windows],
        "measures": [None if window.measures is None else astuple(window.measures) for window in group.windows],
        "scores": base64.b64encode(scores_NK.tobytes()).decode(),
    }


def _from_entry(sound: int, entry: dict[str, Any]) -> WindowGroup:
    spans = entry["spans"]
    flat = np.frombuffer(base64.b64decode(entry["scores"]), "<f4").astype(np.float32)
    scores_NK = flat.reshape(len(spans), -1 if spans else 0)
    measures = [None if values is None else Measures(*values) for values in entry["measures"]]
    windows = [
        WindowScores(start, end, score_K, count, measured)
        for (start, end, count), score_K, measured in zip(spans, scores_NK, measures, strict=True)
    ]
    return WindowGroup(sound, entry["whole"], windows, entry["done"], entry["fault"])
