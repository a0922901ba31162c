"""A fixed bank of synthesised room impulse responses.

Shoebox rooms by the image-source method of pyroomacoustics: the same on every machine for a seed, computed once and
stored in the cache folder.
"""

import os
from pathlib import Path

import numpy as np

from audiosurvey.atomic import naming
from audiosurvey.errors import UserError
from audiosurvey.randomness import stream

ROOMS = 32
VERSION = 1
"""Increased whenever the rooms change, so that old banks are not read."""

NO_ROOMS = (
    "synthesised rooms need pyroomacoustics; run `pip install audiosurvey[rir]`, or set augmentation.reverb.folder "
    "to a folder of impulse responses"
)


def room_bank(sample_rate: int, *, count: int = ROOMS, seed: int = 0) -> dict[str, np.ndarray]:
    """Impulse responses of `count` rooms, float32, at `sample_rate` (Hz).

    Raises UserError if pyroomacoustics is needed and missing.
    """
    file = _bank_file(sample_rate, count, seed)
    if not file.exists():
        _write(file, {f"room-{number:02d}": synthesise(sample_rate, number, seed) for number in range(count)})
    with np.load(file, allow_pickle=False) as bank:
        return {name: bank[name] for name in bank.files}


def bank_is_there(sample_rate: int, *, count: int = ROOMS, seed: int = 0) -> bool:
    """Whether the bank is in the cache."""
    return _bank_file(sample_rate, count, seed).exists()


def _bank_file(sample_rate: int, count: int, seed: int) -> Path:
    from audiosurvey.cache import cache_folder

    return cache_folder() / "rooms" / f"v{VERSION}-{sample_rate}-{count}-{seed}.npz"


def synthesise(sample_rate: int, number: int, seed: int = 0) -> np.ndarray:
    """The impulse response of one room of 2 to 12 m; float32, cut off at -60 dB."""
    try:
        import pyroomacoustics
    except ImportError:
        raise UserError(f"augmentation.reverb: {NO_ROOMS}") from None
    rng = stream(seed, number, "room")
    sides_m = rng.uniform([2.0, 2.0, 2.2], [12.0, 9.0, 4.5])
    absorption = float(rng.uniform(0.15, 0.6))
    # A wall reflects 1 - absorption of the energy; this many reflections are 60 dB.
    order = min(40, int(np.ceil(np.log(1e-6) / np.log(1 - absorption))))
    room = pyroomacoustics.ShoeBox(
        sides_m,
        fs=sample_rate,
        materials=pyroomacoustics.Material(absorption),
        max_order=order,
        air_absorption=True,
    )
    room.add_source(rng.uniform(0.1, 0.9, 3) * sides_m)
    room.add_microphone(rng.uniform(0.1, 0.9, 3) * sides_m)
    room.compute_rir()
    assert room.rir is not None
    response = np.asarray(room.rir[0][0], np.float32)
    loud = np.abs(response) > 1e-3 * np.abs(response).max()
    return response[: int(np.flatnonzero(loud)[-1]) + 1]


def _write(file: Path, responses: dict[str, np.ndarray]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    with naming(file), unfinished.open("wb") as stream_out:
        np.savez(stream_out, allow_pickle=False, **responses)
    unfinished.replace(file)
