"""Soundscapes: recordings with known events, mixed from clips and a background.

The sound of a clip is what lies between silence at its ends. Its level, without its silent parts, is drawn around that
of the background, and it begins at a random place where no other sound is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SPREAD_DB = 6.0
"""Sounds are up to so much softer or louder than the background."""
_SILENT = 10 ** (-40 / 20)
"""Of the peak: what is below it at the ends of a clip, or in frames within it, is silence."""
_FRAME = 1024
_GAP_S = 0.1


@dataclass(frozen=True)
class PlacedSound:
    """A sound in a soundscape."""

    number: int
    """Which of those given."""
    start: int
    samples: int


def mix(
    rng: np.random.Generator, background_S: np.ndarray, sounds: Sequence[np.ndarray], rate: int, level: float
) -> tuple[np.ndarray, list[PlacedSound]]:
    """The background with the sounds in it, and where they are, in the order of their starts.

    `level`: root mean square around which the sounds are. Raises ValueError if they do not fit.
    """
    wave_S = background_S.copy()
    starts = _places(rng, [len(sound_S) for sound_S in sounds], len(wave_S), round(_GAP_S * rate))
    placed: list[PlacedSound] = []
    for number in np.argsort(starts, kind="stable"):
        start, sound_S = starts[number], sounds[number]
        gain = level / sounding_rms(sound_S) * 10 ** (rng.uniform(-SPREAD_DB, SPREAD_DB) / 20)
        wave_S[start : start + len(sound_S)] += gain * sound_S
        placed.append(PlacedSound(int(number), start, len(sound_S)))
    return wave_S, placed


def coloured(rng: np.random.Generator, samples: int, slope: float, flat_below: float = 0.0) -> np.ndarray:
    """Noise of unit root mean square, whose power changes with frequency to the power of -`slope`: 0 is white noise, 1
    pink (equal power in each octave), 2 brown. `flat_below`: frequency, relative to the sample rate, below which it
    does not change."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    spectrum[1:] /= np.maximum(np.arange(1, len(spectrum)), flat_below * samples) ** (slope / 2)
    spectrum[0] = 0
    wave_S = np.fft.irfft(spectrum, samples)
    return (wave_S / wave_S.std()).astype(np.float32)


def trimmed(wave_S: np.ndarray) -> np.ndarray:
    """Without the silence at its ends; nothing of a silent clip."""
    loud = np.flatnonzero(np.abs(wave_S) >= _SILENT * np.abs(wave_S).max(initial=1e-9))
    return wave_S[loud[0] : loud[-1] + 1] if len(loud) else wave_S[:0]


def sounding_rms(wave_S: np.ndarray) -> float:
    """The root mean square over the frames that are not silent."""
    frames = [wave_S[at : at + _FRAME] for at in range(0, len(wave_S), _FRAME)]
    powers = np.array([np.mean(np.square(frame, dtype=np.float64)) for frame in frames])
    return float(np.sqrt(powers[powers >= _SILENT**2 * powers.max()].mean()))


def _places(rng: np.random.Generator, lengths: Sequence[int], samples: int, gap: int) -> list[int]:
    """Where sounds begin, in random order, without overlap and at least `gap` apart."""
    free = samples - sum(lengths) - gap * (len(lengths) + 1)
    if free < 0:
        raise ValueError("the sounds do not fit into the background")
    cuts = np.sort(rng.integers(0, free + 1, len(lengths)))
    starts = [0] * len(lengths)
    position = 0
    for place, index in enumerate(rng.permutation(len(lengths))):
        starts[index] = int(cuts[place]) + position + gap * (place + 1)
        position += lengths[index]
    return starts
