"""Made sounds of no class: silence, mains hum, white and pink noise, at many levels.

They are written once into the user's cache as WAV files, the same on every machine, and are then sounds like others.
Only uniform random numbers and elementwise arithmetic are used, as in the toy set.
"""

import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock

from audiosurvey.atomic import replacing
from audiosurvey.cache import cache_folder
from audiosurvey.errors import not_written
from audiosurvey.randomness import stream

TAKES = 10
"""Sounds of each kind."""
_VERSION = 1
_SAMPLE_RATE = 48_000
_SECONDS = 5
_SAMPLES = _SAMPLE_RATE * _SECONDS
_OCTAVES = 16
_HARMONICS = 20
Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class MadeSound:
    """One made sound."""

    kind: str
    take: int

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.take:02d}.wav"


def made_sounds() -> list[tuple[MadeSound, Path]]:
    """All made sounds with their files, which are written if they are missing. Raises UserError if they cannot be."""
    folder = cache_folder() / f"made-sounds-{_VERSION}"
    sounds = [MadeSound(kind, take) for take in range(TAKES) for kind in KINDS]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            for sound in sounds:
                if not (folder / sound.name).is_file():
                    _write(folder / sound.name, render(sound))
    except OSError as error:
        reason = f"the made sounds cannot be written ({error.strerror or error})"
        raise not_written(error, f"{folder}: {reason}; set dataset.other.made to 0") from error
    return [(sound, folder / sound.name) for sound in sounds]


def render(sound: MadeSound) -> np.ndarray:
    """int16 (S,) at 48 kHz."""
    rng = stream("made sounds", sound.kind, sound.take)
    wave_S = KINDS[sound.kind](rng, sound.take)
    peak = float(np.abs(wave_S).max())
    if peak == 0:
        return wave_S.astype(np.int16)
    # Levels are spread evenly over the takes, with some chance within each step.
    level_db = -66 + 63 * (sound.take + rng.random()) / TAKES
    if sound.kind == "silence":
        level_db = -88 + 18 * (sound.take + rng.random()) / TAKES
    return np.rint(wave_S * (32767 * 10 ** (level_db / 20) / peak)).astype(np.int16)


def _silence(rng: Rng, take: int) -> np.ndarray:
    """Digital silence in half of the takes, no two of equal length, and the last bits of a converter in the others."""
    return np.zeros(_SAMPLES - take * _SAMPLE_RATE // 100) if take % 2 == 0 else _white(rng, take)


def _hum(rng: Rng, take: int) -> np.ndarray:
    """50 or 60 Hz with harmonics that fall off more or less steeply, over a little noise."""
    mains_hz = (50.0, 60.0)[take % 2] * (1 + 0.002 * (2 * rng.random() - 1))
    fall, even = 0.5 + 2 * rng.random(), rng.random()
    phase_S = np.arange(_SAMPLES) * (2 * np.pi * mains_hz / _SAMPLE_RATE)
    wave_S = np.zeros(_SAMPLES)
    for number in range(1, _HARMONICS + 1):
        weight = number**-fall * (even if number % 2 == 0 else 1.0) * (0.3 + 0.7 * rng.random())
        wave_S += weight * np.sin(number * phase_S + 2 * np.pi * rng.random())
    noise_db = -60 + 40 * rng.random()
    return wave_S + _white(rng, take) * 10 ** (noise_db / 20)


def _white(rng: Rng, take: int) -> np.ndarray:
    """White noise of unit variance: the sum of three uniform numbers."""
    return (rng.random((3, _SAMPLES)).sum(axis=0) - 1.5) * 2.0


def _pink(rng: Rng, take: int) -> np.ndarray:
    """Noise with equal power in each octave: random numbers of which each row is held twice as long as the one before.

    Source: Voss and Clarke 1978 ("1/f noise" in music), as described by Gardner (Scientific American, April 1978).
    """
    wave_S = rng.random(_SAMPLES) - 0.5
    for octave in range(1, _OCTAVES):
        held = 1 << octave
        first = int(rng.integers(held))
        values = rng.random(_SAMPLES // held + 2) - 0.5
        wave_S += np.repeat(values, held)[first : first + _SAMPLES]
    return wave_S - wave_S.mean()


KINDS: dict[str, Callable[[Rng, int], np.ndarray]] = {"silence": _silence, "hum": _hum, "white": _white, "pink": _pink}


def _write(path: Path, pcm_S: np.ndarray) -> None:
    with replacing(path) as beside, wave.open(str(beside), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_SAMPLE_RATE)
        file.writeframes(pcm_S.astype("<i2").tobytes())
