"""Builds a new store: decodes each segment of sound once, in parallel, and writes the samples one after another.
Recordings that an earlier store holds are copied.

A store is a folder with `samples.i16`, `index.json` and `report.json`, made under a temporary name and renamed when
complete. Each recording is int16 with its own scale, its peak at 32767: loud floats do not clip and quiet recordings
keep their bits. Memory does not grow with the length of the clips (`spool`). Now and then an index of what has been
written so far is written too, from which a later build goes on if this one is stopped.
"""

import contextlib
import json
import shutil
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from audiosurvey.atomic import write_text
from audiosurvey.data.audio.bad_audio import BadAudio, MissingDecoder
from audiosurvey.data.audio.decoding import Mono
from audiosurvey.data.audio.resampling import mono_blocks
from audiosurvey.data.readahead import ProgressCallback, cpu_count, in_order
from audiosurvey.data.store.earlier import INDEX, SAMPLES, StoredRecording, index_head
from audiosurvey.data.store.spool import Spool
from audiosurvey.errors import UserError

READER = 2
"""Version of what can be read: a store that skipped files is built again by a version that reads more formats."""
REPORT = "report.json"
TEMPORARY = ".building-"
_FIRST_INDEX, _MORE = 1000, 1.25
"""An unfinished store gets an index after this many recordings, and again whenever there are a quarter more."""


@dataclass(frozen=True, slots=True)
class StoreEntry:
    """One segment of a file to be stored, named by its content."""

    name: str
    path: Path
    start_s: float | None
    end_s: float | None
    clip_ids: tuple[str, ...]
    """The clips that are this recording; several where a file has copies."""


def build(
    folder: Path,
    recordings: Sequence[StoreEntry],
    sample_rate: int,
    mono: Mono,
    workers: int | None,
    progress: ProgressCallback | None,
    earlier: Mapping[str, StoredRecording],
) -> None:
    """Makes the store `folder`, which must not exist. Unreadable recordings are listed in its report.

    `earlier`: recordings by name that need not be decoded. The store is the same with and without them.
    """
    temporary = folder.with_name(f"{folder.name}{TEMPORARY}{uuid.uuid4().hex[:8]}")
    temporary.mkdir(parents=True)
    try:
        _fill(temporary, recordings, sample_rate, mono, decoding_threads(workers), progress, earlier)
        temporary.rename(folder)
    except BaseException as error:
        if not (isinstance(error, KeyboardInterrupt) and (temporary / INDEX).exists()):
            shutil.rmtree(temporary, ignore_errors=True)
        raise


def decoding_threads(workers: int | None) -> int:
    """`workers`, or by default one thread per processor, 16 at most."""
    return workers or min(cpu_count(), 16)


def _fill(
    folder: Path,
    recordings: Sequence[StoreEntry],
    sample_rate: int,
    mono: Mono,
    workers: int,
    progress: ProgressCallback | None,
    earlier: Mapping[str, StoredRecording],
) -> None:
    load = partial(_decoded, folder=folder, sample_rate=sample_rate, mono=mono)
    began = time.monotonic()
    clips: dict[str, tuple[int, int, float]] = {}
    digests: dict[str, str] = {}
    skipped: dict[str, str] = {}
    place, next_index = 0, _FIRST_INDEX

    def write_index() -> None:
        index: dict[str, Any] = {"reader": READER, "samples": place, "clips": clips}
        index |= {"digests": digests, "skipped": skipped}
        write_text(folder / INDEX, json.dumps(index_head(sample_rate, mono) | index))

    new = (recording for recording in recordings if recording.name not in earlier)
    loaded = in_order(load, new, workers=workers, ahead=2 * workers)
    with contextlib.closing(loaded), (folder / SAMPLES).open("wb") as samples:
        for done, recording in enumerate(recordings, 1):
            known = earlier.get(recording.name)
            result = (known, known.scale) if known else next(loaded)
            if isinstance(result, str):
                skipped[recording.name] = result
            else:
                source, scale = result
                with source:
                    digest = source.write_to(samples)
                if digest is not None:
                    digests[recording.name] = digest
                clips[recording.name] = (place, source.samples, scale)
                place += source.samples
            if done >= next_index:
                samples.flush()
                write_index()
                next_index = round(_MORE * done) + 1
            if progress:
                progress(done, len(recordings))
    write_index()
    report = {
        "sample_rate": sample_rate,
        "mono": mono,
        "recordings": len(clips),
        "hours": round(place / sample_rate / 3600, 4),
        "bytes": 2 * place,
        "seconds": round(time.monotonic() - began, 3),
        "skipped": [
            {"id": clip_id, "reason": skipped[recording.name]}
            for recording in recordings
            if recording.name in skipped
            for clip_id in recording.clip_ids
        ],
    }
    (folder / REPORT).write_text(json.dumps(report, indent=2), encoding="utf-8")


def _decoded(recording: StoreEntry, folder: Path, sample_rate: int, mono: Mono) -> tuple[Spool, float] | str:
    """The int16 samples of a recording and their scale, or why there are none."""
    begin, end = recording.start_s, recording.end_s
    with ExitStack() as stack:
        spool = stack.enter_context(Spool(folder))
        try:
            for wave_S in mono_blocks(recording.path, start_s=begin, end_s=end, mono=mono, sample_rate=sample_rate):
                spool.add(wave_S)
            scale = spool.finish()
        except MissingDecoder as missing:
            # Skipping it would make the data depend on the packages of this machine.
            raise UserError(f"{recording.clip_ids[0]}: {missing.reason}") from None
        except BadAudio as bad:
            return bad.reason
        stack.pop_all()
        return spool, scale
