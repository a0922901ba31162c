"""Fills a new store: decodes each stretch of sound once, in parallel, and writes the samples one after
another.

Enters: what to decode; leaves: a folder with `samples.i16`, `index.json` and `report.json`, made under a
temporary name and renamed when whole. Each recording is held as int16 with a scale of its own, its peak at
32767: loud floats do not clip and quiet recordings keep their bits. Plain writes in order, a few clips in
flight: memory does not grow with the number of clips.
"""

import contextlib
import hashlib
import json
import shutil
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audiosurvey.data.audio import BadAudio, Mono, decode
from audiosurvey.data.readahead import cpu_count, in_order

FORMAT = 2
"""Version of the store on disk; part of its key, so that a change of the format builds new stores."""
SAMPLES = "samples.i16"
INDEX = "index.json"
REPORT = "report.json"
TEMPORARY = ".building-"
_FULL = 32767
_SILENT_PEAK = 1e-30
"""Peaks below this (-600 dB) are stored as silence: their scale would leave the range of float32."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Recording:
    """One stretch to be stored, under a name that its content gives it."""

    name: str
    path: Path
    start_s: float | None
    end_s: float | None
    clip_ids: tuple[str, ...]
    """The clips that are this recording; more than one where a file is there twice."""


def build(
    folder: Path,
    recordings: Sequence[Recording],
    *,
    sample_rate: int,
    mono: Mono,
    workers: int | None,
    progress: Progress | None,
) -> None:
    """Makes the store `folder`, which must not exist. What cannot be read is noted in its report."""
    temporary = folder.with_name(f"{folder.name}{TEMPORARY}{uuid.uuid4().hex[:8]}")
    temporary.mkdir(parents=True)
    try:
        _fill(temporary, recordings, sample_rate, mono, workers or min(cpu_count(), 16), progress)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def quantize(wave_S: np.ndarray) -> tuple[np.ndarray, float]:
    """int16 (S,) and the scale that gives the wave back: wave = int16 * scale, to within half a scale."""
    peak = max(float(wave_S.max()), -float(wave_S.min()))
    if peak < _SILENT_PEAK:
        return np.zeros(len(wave_S), "<i2"), 1.0
    return np.rint(wave_S * np.float32(_FULL / peak)).clip(-_FULL, _FULL).astype("<i2"), peak / _FULL


def samples_digest(wave_S: np.ndarray) -> str | None:
    """Hash of int16 samples: equal for WAV and FLAC of one sound, and at another level. None for silence."""
    if wave_S.min() == wave_S.max():
        return None
    return hashlib.blake2b(wave_S.data, digest_size=16).hexdigest()


def _fill(
    folder: Path,
    recordings: Sequence[Recording],
    sample_rate: int,
    mono: Mono,
    workers: int,
    progress: Progress | None,
) -> None:
    def load(recording: Recording) -> tuple[np.ndarray, float] | str:
        try:
            stretch = {"start_s": recording.start_s, "end_s": recording.end_s}
            return quantize(decode(recording.path, **stretch, mono=mono, sample_rate=sample_rate))
        except BadAudio as bad:
            return bad.reason

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
                wave_S, scale = result
                samples.write(wave_S.data)
                clips[recording.name] = (place, len(wave_S), scale)
                if digest := samples_digest(wave_S):
                    digests[recording.name] = digest
                place += len(wave_S)
            if progress:
                progress(done, len(recordings))
    index = {
        "format": FORMAT,
        "sample_rate": sample_rate,
        "mono": mono,
        "samples": place,
        "clips": clips,
        "digests": digests,
        "skipped": skipped,
    }
    (folder / INDEX).write_text(json.dumps(index), encoding="utf-8")
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
