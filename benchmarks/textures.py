"""A synthetic data set of six steady textures, whose class is recognisable in any part of a clip.

    python benchmarks/textures.py OUT [--clips 40] [--seconds 2] [--seed 0]

OUT gets a folder for each class with `--clips` WAV files (16 kHz), each drawn anew: pitch, rate, spectrum and level
vary within a class. It serves to compare a model on clips as they are and on clips that are softer, shorter or noisier
(`audiosurvey evaluate RUN --conditions`): unlike in the toy data, half a clip is enough to recognise the class.
"""

import argparse
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import butter, sosfilt

RATE = 16_000


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    for place, (name, texture) in enumerate(TEXTURES.items()):
        folder = given.out / name
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(given.clips):
            rng = np.random.default_rng([given.seed, place, number])
            wave_S = texture(rng, round(given.seconds * RATE))
            wave_S += 10 ** (rng.uniform(-60, -40) / 20) * wave_S.std() * rng.standard_normal(len(wave_S))
            level = 10 ** (rng.uniform(-30, -6) / 20)
            soundfile.write(folder / f"{name}-{number:03d}.wav", level * wave_S / np.abs(wave_S).max(), RATE)
    print(f"{given.out}: {len(TEXTURES)} classes of {given.clips} clips, {given.seconds:g} s each")


def engine(rng: np.random.Generator, samples: int) -> np.ndarray:
    """A low harmonic series whose pitch wavers."""
    pitch = rng.uniform(60, 180) * (1 + 0.02 * np.sin(_phase(rng.uniform(1, 4), samples) + rng.uniform(0, 6)))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    return np.sum([rng.uniform(0.3, 1) / part * np.sin(part * phase) for part in range(1, 16)], axis=0)


def whistle(rng: np.random.Generator, samples: int) -> np.ndarray:
    """A pure tone that glides up and down."""
    swing = 1 + rng.uniform(0.05, 0.2) * np.sin(_phase(rng.uniform(1, 3), samples))
    return np.sin(2 * np.pi * np.cumsum(rng.uniform(900, 2500) * swing) / RATE)


def hiss(rng: np.random.Generator, samples: int) -> np.ndarray:
    """Steady noise with a slope."""
    low = rng.uniform(300, 1000)
    return _band(rng.standard_normal(samples), low, rng.uniform(3000, 7000))


def pulses(rng: np.random.Generator, samples: int) -> np.ndarray:
    """Bursts of noise at a steady rate."""
    beat = np.maximum(0, np.sin(_phase(rng.uniform(6, 14), samples))) ** 6
    return beat * _band(rng.standard_normal(samples), 400, 5000)


def chirps(rng: np.random.Generator, samples: int) -> np.ndarray:
    """Short upward sweeps, one after another."""
    length = round(RATE / rng.uniform(5, 10))
    place = np.arange(samples) % length / length
    start = rng.uniform(800, 1500)
    return np.sin(np.pi * np.minimum(1, place * 1.5)) * np.sin(2 * np.pi * np.cumsum(start + 2500 * place) / RATE)


def crackle(rng: np.random.Generator, samples: int) -> np.ndarray:
    """Sparse random clicks of random size."""
    hits = (rng.random(samples) < rng.uniform(20, 80) / RATE) * rng.exponential(1, samples)
    return _band(hits + 1e-3 * rng.standard_normal(samples), 500, 6000)


def _phase(hertz: float, samples: int) -> np.ndarray:
    return 2 * np.pi * hertz * np.arange(samples) / RATE


def _band(wave_S: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.asarray(sosfilt(butter(2, [low, high], "bandpass", fs=RATE, output="sos"), wave_S))


TEXTURES = {one.__name__: one for one in (engine, whistle, hiss, pulses, chirps, crackle)}

if __name__ == "__main__":
    main()
