"""Builds a new store: decodes each stretch of sound once, in parallel, and writes the samples one after another.

A store is a folder with `samples.i16`, `index.json` and `report.json`, made under a temporary name and renamed when
complete. Each recording is int16 with its own scale, its peak at 32767: loud floats do not clip and quiet recordings
keep their bits. Memory grows neither with the number of clips nor with their length (`spool`).
"""

import contextlib
import json
import shutil
import time
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from audiosurvey.data.audio.bad_audio import BadAudio, MissingDecoder
from audiosurvey.data.audio.decoding import Mono
from audiosurvey.data.audio.resampling import mono_blocks
from audiosurvey.data.readahead import ProgressCallback, cpu_count, in_order
from audiosurvey.data.store.spool import Spool
from audiosurvey.errors import UserError

FORMAT = 2
"""Version of the store on disk, part of its key: a change of the format builds new stores."""
READER = 2
"""Version of what can be read: a store that skipped files is built again by a version that reads more formats."""
SAMPLES = "samples.i16"
INDEX = "index.json"
REPORT = "report.json"
TEMPORARY = ".building-"


@dataclass(frozen=True, slots=True)
class Recording:
    """One stretch to be stored, named by its content."""

    name: str
    path: Path
    start_s: float | None
    end_s: float | None
    clip_ids: tuple[str, ...]
    """The clips that are this recording; several where a file has copies."""


def build(
    folder: Path,
    recordings: Sequence[Recording],
    sample_rate: int,
    mono: Mono,
    workers: int | None,
    progress: ProgressCallback | None,
) -> None:
    """Makes the store `folder`, which must not exist. Unreadable recordings are listed in its report."""
    temporary = folder.with_name(f"{folder.name}{TEMPORARY}{uuid.uuid4().hex[:8]}")
    temporary.mkdir(parents=True)
    try:
        _fill(temporary, recordings, sample_rate, mono, decoding_threads(workers), progress)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def decoding_threads(workers: int | None) -> int:
    """`workers`, or by default one thread per processor, 16 at most."""
    return workers or min(cpu_count(), 16)


def _fill(
    folder: Path,
    recordings: Sequence[Recording],
    sample_rate: int,
    mono: Mono,
    workers: int,
    progress: ProgressCallback | None,
) -> None:
    load = partial(_decoded, folder=folder, sample_rate=sample_rate, mono=mono)
    began = time.monotonic()
    clips: dict[str, tuple[int, int, float]] = {}
    digests: dict[str, str] = {}
    skipped: dict[str, str] = {}
    place = 0
    loaded = in_order(load, recordings, workers=workers, ahead=2 * workers)
    with contextlib.closing(loaded), (folder / SAMPLES).open("wb") as samples:
        for done, (recording, result) in enumerate(zip(recordings, loaded, strict=True), 1):
            if isinstance(result, str):
                skipped[recording.name] = result
            else:
                spool, scale = result
                with spool:
                    digest = spool.write_to(samples)
                if digest is not None:
                    digests[recording.name] = digest
                clips[recording.name] = (place, spool.samples, scale)
                place += spool.samples
            if progress:
                progress(done, len(recordings))
    about = {"sample_rate": sample_rate, "mono": mono}
    index = {
        "format": FORMAT,
        "reader": READER,
        **about,
        "samples": place,
        "clips": clips,
        "digests": digests,
        "skipped": skipped,
    }
    (folder / INDEX).write_text(json.dumps(index), encoding="utf-8")
    report = {
        **about,
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


def _decoded(recording: Recording, folder: Path, sample_rate: int, mono: Mono) -> tuple[Spool, float] | str:
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
