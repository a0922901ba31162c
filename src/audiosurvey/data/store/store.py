"""The store: every clip of a table, decoded once, mono, at one sample rate, in one memory-mapped int16 array.

It lies in the user's cache under a key of everything that determines its samples: contents of files, stretches, sample
rate, mixing to mono. New labels or a moved data set need no new store; a changed file does.
"""

import hashlib
import json
import mmap
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from audiosurvey.cache import cache_folder
from audiosurvey.data.audio.bad_audio import BadAudio, MissingDecoder
from audiosurvey.data.audio.content_hash import Fingerprint, fingerprints
from audiosurvey.data.audio.decoding import Mono, probe
from audiosurvey.data.audio.extensions import MEDIA_EXTENSIONS
from audiosurvey.data.readahead import ProgressCallback
from audiosurvey.data.store import building
from audiosurvey.data.store.building import TEMPORARY, StoreEntry
from audiosurvey.data.store.earlier import FORMAT, INDEX, SAMPLES, earlier_recordings
from audiosurvey.data.store.spool import FULL_SCALE, IN_MEMORY
from audiosurvey.data.store.use import record_use
from audiosurvey.data.table import Clip, Table
from audiosurvey.errors import UserError, not_written
from audiosurvey.plainfile import not_plain

_RESIDENT_BYTES = 1 << 26
_LEAST_BYTES_PER_S = 500
"""A header may claim at most a second per this many bytes (4 kb/s; speech codecs need 6 kb/s) when disk space is
estimated. For longer sounds (lossless silence) a full disk is noticed only while writing."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A clip that is not in the store, and why."""

    id: str
    reason: str


class Store:
    """The samples of a table's clips. Reading is thread-safe."""

    def __init__(
        self,
        folder: Path,
        index: Mapping[str, Any],
        names: Mapping[str, str],
        missing: Sequence[Skipped],
        data_hash: str,
    ) -> None:
        """`names`: the name of each clip id in the index; `missing`: clips whose files could not be opened."""
        self.folder = folder
        self.key = folder.name
        self.sample_rate: int = index["sample_rate"]
        self.hash = data_hash
        """Hash of clip ids, labels, folds, sources and file contents: the same on every machine, at every rate."""
        self.nbytes = 2 * int(index["samples"])
        clips, bad = index["clips"], index["skipped"]
        unreadable = [Skipped(clip_id, bad[name]) for clip_id, name in names.items() if name in bad]
        self.skipped = tuple(sorted((*missing, *unreadable), key=lambda skip: skip.id))
        self._names = dict(names)
        self._samples_digests: Mapping[str, str] = index["digests"]
        self._places = {clip_id: clips[name] for clip_id, name in names.items() if name in clips}
        with (folder / SAMPLES).open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._samples = np.frombuffer(self._map, "<i2")
        self._touched = 0

    def __contains__(self, clip_id: str) -> bool:
        return clip_id in self._places

    def __len__(self) -> int:
        return len(self._places)

    def length(self, clip_id: str) -> int:
        """Samples of a clip, at the store's rate."""
        return self._places[clip_id][1]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def peak(self, clip_id: str) -> float:
        """The highest magnitude of a clip; 0 for silence."""
        return 0.0 if self.samples_digest(clip_id) is None else FULL_SCALE * self._places[clip_id][2]

    def digest(self, clip_id: str) -> str:
        """Hash of the clip's file and stretch: the same whatever its name."""
        return self._names[clip_id]

    def samples_digest(self, clip_id: str) -> str | None:
        """Hash of the samples of a clip, whatever its file format; None for silence."""
        return self._samples_digests.get(self._names[clip_id])

    def rehash(self, table: Table) -> None:
        """Updates `hash` for a table with the same clips but other folds."""
        self.hash = _data_hash(table, {clip_id: name.split("#")[0] for clip_id, name in self._names.items()})

    def read(self, clip_id: str, start: int = 0, count: int | None = None) -> np.ndarray:
        """float32 (S,): `count` samples from `start` on (None: all the rest), fewer where the clip ends before."""
        rest = max(0, self.length(clip_id) - start)
        wave_S = np.empty(rest if count is None else min(rest, max(0, count)), np.float32)
        self.read_into(clip_id, wave_S, start)
        return wave_S

    def read_into(self, clip_id: str, out_S: np.ndarray, start: int = 0) -> int:
        """Fills float32 `out_S` with the clip from `start` on; returns the number of samples filled."""
        begin, length, scale = self._places[clip_id]
        if start < 0:
            raise ValueError(f"a clip begins at sample 0, not {start}")
        count = max(0, min(len(out_S), length - start))
        stored_S = self._samples[begin + start : begin + start + count]
        np.multiply(stored_S, np.float32(scale), out=out_S[:count])
        self._let_go(stored_S.nbytes)
        return count

    def _let_go(self, nbytes: int) -> None:
        # Pages that were read count as this process's memory. Returning them now and then keeps it flat; they stay in
        # the system's file cache, and two threads doing it at once do no harm.
        self._touched += nbytes
        if self._touched > _RESIDENT_BYTES and hasattr(mmap, "MADV_DONTNEED"):
            self._touched = 0
            self._map.madvise(mmap.MADV_DONTNEED)


def prepare(
    table: Table,
    *,
    sample_rate: int,
    mono: Mono,
    folder: Path | None = None,
    workers: int | None = None,
    progress: ProgressCallback | None = None,
) -> Store:
    """The store of a table at `sample_rate` Hz: the existing one where nothing changed, else a new one.

    Recordings that another store in the same folder holds, or an unfinished one, are copied from there.

    `folder`: the folder of stores (None: in the user's cache), each in a folder named by its key. `workers`: decoding
    threads (None: one per processor). `progress` is called with (done, total) while a store is built. Clips that
    cannot be read are left out and listed in `Store.skipped`. Several processes may call it at once: one builds, the
    others wait.

    Raises UserError if no clip can be read, or the disk has no space.
    """
    stores = folder or cache_folder() / "stores"
    found = fingerprints((clip.path for clip in table.clips), workers)
    names = {clip.id: _name(clip, print_) for clip in table.clips if (print_ := found[clip.path])}
    missing = [Skipped(clip.id, _absence(clip)) for clip in table.clips if clip.id not in names]
    if not names:
        raise _nothing(table, missing)
    key = _digest({"format": FORMAT, "sample_rate": sample_rate, "mono": mono, "names": sorted(set(names.values()))})
    target = stores / key
    index = _index(target)
    if index is None:
        recordings = _recordings(table, names)
        _check_decoder(recordings)
        try:
            stores.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{target}.lock"):
                index = _index(target)
                if index is None:
                    shutil.rmtree(target, ignore_errors=True)
                    content = [recording.name for recording in recordings]
                    with earlier_recordings(stores, content, sample_rate, mono) as earlier:
                        _sweep(stores, key)
                        _check_disk(stores, recordings, found, sample_rate, building.decoding_threads(workers))
                        building.build(target, recordings, sample_rate, mono, workers, progress, earlier)
                    index = json.loads((target / INDEX).read_text(encoding="utf-8"))
        except OSError as error:
            reason = f"the store cannot be written ({error.strerror or error})"
            raise not_written(error, f"{stores}: {reason}; dataset.store places it elsewhere") from error
    assert index is not None
    if not any(name in index["clips"] for name in names.values()):
        bad = [Skipped(clip_id, index["skipped"][name]) for clip_id, name in names.items()]
        shutil.rmtree(target, ignore_errors=True)
        raise _nothing(table, [*bad, *missing])
    digests = {clip_id: name.split("#")[0] for clip_id, name in names.items()}
    if folder is None:
        record_use(target, table.title, table.root)
    return Store(target, index, names, missing, _data_hash(table, digests))


def kept(table: Table, store: Store) -> Table:
    """The table without the clips that the store skipped."""
    return replace(table, clips=tuple(clip for clip in table.clips if clip.id in store))


def _name(clip: Clip, fingerprint: Fingerprint) -> str:
    """Name of a clip's sound in the store: its content hash and stretch."""
    if clip.start_s is None and clip.end_s is None:
        return fingerprint.digest
    start, end = (None if second is None else float(second) for second in (clip.start_s, clip.end_s))
    return f"{fingerprint.digest}#{start}-{end}"


def _recordings(table: Table, names: Mapping[str, str]) -> list[StoreEntry]:
    """Each sound once, in the table's order."""
    clips: dict[str, list[Clip]] = {}
    for clip in table.clips:
        if clip.id in names:
            clips.setdefault(names[clip.id], []).append(clip)
    return [
        StoreEntry(name, same[0].path, same[0].start_s, same[0].end_s, tuple(clip.id for clip in same))
        for name, same in clips.items()
    ]


def _index(folder: Path) -> dict[str, Any] | None:
    """The index of a complete store; None where there is none, it is damaged, or it skipped what can be read today."""
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        whole = (folder / SAMPLES).stat().st_size == 2 * index["samples"]
        current = not index["skipped"] or index.get("reader") == building.READER
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return index if whole and current else None


def _sweep(stores: Path, key: str) -> None:
    """Removes the temporary folders of killed builders: while a store's lock is held, nobody else is building it."""
    for left in stores.glob(f"*{TEMPORARY}*"):
        owner = left.name.split(TEMPORARY)[0]
        if owner == key:
            shutil.rmtree(left, ignore_errors=True)
            continue
        try:
            with FileLock(stores / f"{owner}.lock", timeout=0):
                shutil.rmtree(left, ignore_errors=True)
        except (Timeout, OSError):
            continue


def _check_decoder(recordings: Sequence[StoreEntry]) -> None:
    """Raises UserError if formats need a package that is not installed, before anything is decoded."""
    media = [one for one in recordings if one.path.suffix.lower() in MEDIA_EXTENSIONS]
    for one in media:
        try:
            probe(one.path)
        except MissingDecoder as missing:
            others = f" ({len(media)} files of such formats)" if len(media) > 1 else ""
            raise UserError(f"{one.clip_ids[0]}: {missing.reason}{others}") from None
        except BadAudio:
            continue
        return


def _check_disk(
    stores: Path,
    recordings: Sequence[StoreEntry],
    found: Mapping[Path, Fingerprint | None],
    sample_rate: int,
    workers: int,
) -> None:
    samples = sorted(round(_likely_seconds(one, found[one.path]) * sample_rate) for one in recordings)
    # Long recordings wait in temporary files of float32, one per thread.
    waiting = sum(count for count in samples[-workers:] if count > IN_MEMORY)
    needed = round(2 * sum(samples) * 1.01) + 4 * waiting + (1 << 20)
    free = shutil.disk_usage(stores).free
    if free < needed:
        raise UserError(
            f"{stores}: the store needs {needed / 1e9:.2f} GB, {free / 1e9:.2f} GB are free; "
            "free some, or place it elsewhere with dataset.store"
        )


def _likely_seconds(recording: StoreEntry, fingerprint: Fingerprint | None) -> float:
    """The length of a recording by its header, limited by the size of its file."""
    try:
        most = os.path.getsize(recording.path) / _LEAST_BYTES_PER_S  # noqa: PTH202  (names need not be valid text)
    except OSError:
        return 0.0
    whole = min((fingerprint.seconds if fingerprint else None) or 0.0, most)
    end = whole if recording.end_s is None else min(recording.end_s, whole)
    return max(0.0, end - (recording.start_s or 0.0))


def _absence(clip: Clip) -> str:
    return not_plain(clip.path) or ("cannot be opened" if clip.path.exists() else "file not found")


def _nothing(table: Table, skipped: Sequence[Skipped]) -> UserError:
    if not skipped:
        return UserError(f"{table.root}: the table has no clips")
    first = f"{skipped[0].id}: {skipped[0].reason}"
    return UserError(f"{table.root}: none of its {len(skipped)} clips can be read, the first for this reason: {first}")


def _data_hash(table: Table, digests: Mapping[str, str]) -> str:
    hashed = hashlib.blake2b(json.dumps(table.classes).encode(), digest_size=16)
    for clip in sorted(table.clips, key=lambda clip: clip.id):
        labels = sorted(table.classes[label] for label in clip.labels)
        stretch = [None if second is None else float(second) for second in (clip.start_s, clip.end_s)]
        row = [clip.id, labels, clip.fold, clip.source, clip.side, stretch, digests.get(clip.id)]
        hashed.update(json.dumps(row).encode())
    return hashed.hexdigest()


def _digest(value: object) -> str:
    return hashlib.blake2b(json.dumps(value).encode(), digest_size=16).hexdigest()
