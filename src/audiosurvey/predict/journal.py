"""What a prediction has scored so far, beside its output, so that one that was killed goes on where it stopped.

`OUTPUT.journal` holds scores, not answers: a line of JSON for what was worked out together, after a first line that
says with what. Answers are made of them anew, so that the output is the same to the byte as without the interruption,
and thresholds, smoothing and format may be others. A line that was cut off by the kill is dropped. Sounds that changed
since are scored again: a file is known by the stamp that the store uses (size, times, inode), so that one replaced in
place counts as changed even if its size and modification time are the same. The journal is removed when the output
stands.
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
from audiosurvey.errors import UserError
from audiosurvey.predict.scan import Portion, Windowing
from audiosurvey.predict.sources import FileSource, Source
from audiosurvey.predict.stream import WindowScores
from audiosurvey.version import __version__

FORMAT = 3
_BEGIN = b'{"journal":'
"""How the first line of every journal begins; a file that begins otherwise is not touched."""


class Journal:
    """The journal of one output. Opening it reads what is there; `write` adds to it."""

    def __init__(
        self, output: Path, model: str, how: Windowing, sources: Sequence[FileSource], *, restart: bool = False
    ) -> None:
        """`model`: a digest of it; `restart`: what is there is thrown away.

        Raises UserError for a journal of another model or of other windows, and for one that another process writes.
        """
        self.path = output.with_name(output.name + ".journal")
        self._sources = sources
        self._index = {source.name: sound for sound, source in enumerate(sources)}
        self._lock = FileLock(self.path.with_name(self.path.name + ".lock"))
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise UserError(f"{output}: another process is writing it; give another --output") from None
        try:
            self._refuse_foreign()
            if restart:
                self.path.unlink(missing_ok=True)
            self._places: dict[int, list[tuple[int, int]]] = {}
            self._windows: dict[int, int] = {}
            self._done: set[int] = set()
            self._file = self.path.open("a+b")
            with naming(self.path):
                self._read(_first_line(model, how))
        except BaseException:
            self._release()
            raise

    @property
    def num_done(self) -> int:
        """Sounds that need not be scored again."""
        return len(self._done)

    def is_done(self, sound: int) -> bool:
        return sound in self._done

    def num_windows(self, sound: int) -> int:
        return self._windows.get(sound, 0)

    def portions(self, sound: int) -> Iterator[Portion]:
        """What is recorded of a sound, in order, read as it is asked for."""
        for place, number in self._places.get(sound, []):
            self._file.seek(place)
            yield _portion(sound, json.loads(self._file.readline())["portions"][number])

    def write(self, portions: Sequence[Portion]) -> None:
        """Adds portions that belong together. They are on their way to the disk when this returns."""
        entries = [_entry(self._sources[portion.sound], portion) for portion in portions]
        with naming(self.path):
            self._file.seek(0, 2)
            self._file.write(json.dumps({"portions": entries}).encode() + b"\n")
            self._file.flush()

    def close(self, *, finished: bool) -> None:
        """Ends the writing; `finished`: nothing is left to go on with, the journal is removed."""
        try:
            # On a full disk closing fails as the last write did.
            with naming(self.path):
                self._file.close()
            if finished:
                self.path.unlink(missing_ok=True)
        finally:
            self._release()

    def _release(self) -> None:
        self._lock.release()
        Path(self._lock.lock_file).unlink(missing_ok=True)

    def _refuse_foreign(self) -> None:
        """Raise UserError for a file of this name that is not a journal: it must not be emptied or removed."""
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
        self._compare(head, first)
        while True:
            place = self._file.tell()
            line = self._file.readline()
            try:
                entries = json.loads(line)["portions"] if line.endswith(b"\n") else None
            except (ValueError, KeyError, TypeError):
                entries = None
            if entries is None:
                # The end, or what a kill left of the last line.
                self._file.truncate(place)
                return
            try:
                for number, entry in enumerate(entries):
                    _portion(0, entry)
                    self._take(entry, place, number)
            except (ValueError, KeyError, TypeError, AttributeError):
                raise UserError(
                    f"{self.path}: damaged in the line at byte {place}; give --restart to begin anew"
                ) from None

    def _take(self, entry: dict[str, Any], place: int, number: int) -> None:
        sound = self._index.get(entry["name"])
        stamp = None if sound is None else self._sources[sound].stamp
        if sound is None or stamp is None or list(stamp) != entry["stamp"]:
            return
        self._places.setdefault(sound, []).append((place, number))
        self._windows[sound] = self._windows.get(sound, 0) + len(entry["spans"])
        if entry["done"]:
            self._done.add(sound)

    def _compare(self, head: bytes, first: dict[str, Any]) -> None:
        try:
            before = json.loads(head)
            differing = [name for name in first if before.get(name) != first[name]]
        except (ValueError, AttributeError):
            raise UserError(f"{self.path}: not a journal of predict; move it away") from None
        if not differing:
            return
        named = {"model": "another model", "journal": "another version", "version": "another version"}
        changes = [named.get(name, f"{name} {before.get(name)} instead of {first[name]}") for name in differing]
        raise UserError(
            f"{self.path}: left by a run with {', '.join(dict.fromkeys(changes))}; finish that one, or give --restart "
            "to begin anew"
        )


@contextmanager
def opened_journal(
    output: Path | None, model: str, how: Windowing, sources: Sequence[Source], restart: bool
) -> Iterator[Journal | None]:
    """The journal of this output, removed when all ends well; None for what cannot be gone on with: no file, a pipe."""
    files = [source for source in sources if isinstance(source, FileSource) and source.name != "-"]
    if output is None or len(files) < len(sources):
        yield None
        return
    journal = Journal(output, model, how, files, restart=restart)
    finished = False
    try:
        yield journal
        finished = True
    finally:
        journal.close(finished=finished)


def model_digest(model: Classifier, path: Path) -> str:
    """Another one for another model: of its facts, which hold the digests of a folder, and of a file of its own."""
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


def _entry(source: FileSource, portion: Portion) -> dict[str, Any]:
    scores_NK = np.array([window.score_K for window in portion.windows], "<f4")
    return {
        "name": source.name,
        "stamp": source.stamp,
        "whole": portion.whole,
        "done": portion.done,
        "fault": portion.fault,
        "spans": [[window.start_s, window.end_s, window.windows] for window in portion.windows],
        "measures": [None if window.measures is None else astuple(window.measures) for window in portion.windows],
        "scores": base64.b64encode(scores_NK.tobytes()).decode(),
    }


def _portion(sound: int, entry: dict[str, Any]) -> Portion:
    spans = entry["spans"]
    scores_NK = (
        np.frombuffer(base64.b64decode(entry["scores"]), "<f4")
        .astype(np.float32)
        .reshape(len(spans), -1 if spans else 0)
    )
    measures = [None if of_one is None else Measures(*of_one) for of_one in entry["measures"]]
    windows = [
        WindowScores(start, end, score_K, count, of_one)
        for (start, end, count), score_K, of_one in zip(spans, scores_NK, measures, strict=True)
    ]
    return Portion(sound, entry["whole"], windows, entry["done"], entry["fault"])
