"""The sounds of the toy set: ten classes that differ in what comes after what, hardly in what there is.

Enters: the name of a class, a recording and a take. Leaves: one second of sound. Most classes come in
pairs that are each other's time reversal, so that a spectrum averaged over the clip cannot tell them apart,
while a spectrogram can. Pitch, speed, colour, level, onset and background are random.
 Only uniform numbers and elementwise arithmetic are used: no FFT, no library filter, whose last bits differ
from machine to machine.
"""

from collections.abc import Callable

import numpy as np

from audiosurvey.randomness import stream

SAMPLE_RATE = 16_000
CLIP_SAMPLES = 16_000

_EDGE_S = 0.008
_GLIDE_S = 0.07


def render(name: str, seed: int, source: str, take: str) -> np.ndarray:
    """One clip as int16 (S,): the take `take` of the recording `source`.

    Takes of one recording share pitch and colour, as cuts of one recording do; the rest is drawn for each
    take.
    """
    recording, rng = stream("toy", seed, source), stream("toy", seed, source, take)
    samples = int(_between(rng, 0.6, 0.9) * CLIP_SAMPLES)
    event_S = SOUNDS[name](recording, rng, samples)
    event_S = event_S / np.sqrt(np.mean(event_S**2))
    onset = int(rng.random() * (CLIP_SAMPLES - samples))
    background_db = _between(rng, -30.0, -14.0)
    wave_S = _noise(rng, CLIP_SAMPLES) * 10 ** (background_db / 20)
    wave_S[onset : onset + samples] += event_S
    # First differences and sums tilt the spectrum; an early echo combs it.
    tilt, echo, delay = (
        _between(recording, -0.7, 0.7),
        _between(recording, 0.0, 0.5),
        8 + int(recording.random() * 40),
    )
    wave_S[1:] += tilt * wave_S[:-1].copy()
    wave_S[delay:] += echo * wave_S[:-delay].copy()
    peak = 10 ** (_between(rng, -20.0, -2.0) / 20)
    return np.rint(wave_S * (32767 * peak / np.abs(wave_S).max())).astype(np.int16)


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    return low + (high - low) * float(rng.random())


def _noise(rng: np.random.Generator, samples: int) -> np.ndarray:
    """White noise of unit variance: the sum of three uniform numbers, near enough to a normal one."""
    return (rng.random((3, samples)).sum(axis=0) - 1.5) * 2.0


def _tone(recording: np.random.Generator, way_S: np.ndarray) -> np.ndarray:
    """A tone with two overtones whose pitch follows `way_S` (0: low, 1: high) on a musical scale."""
    low_hz = 300.0 * (1100.0 / 300.0) ** recording.random()
    interval = _between(recording, 1.4, 2.0)
    phase_S = np.cumsum(low_hz * interval**way_S) * (2 * np.pi / SAMPLE_RATE)
    second, third = _between(recording, 0.1, 0.6), _between(recording, 0.0, 0.4)
    tone_S = np.sin(phase_S) + second * np.sin(2 * phase_S) + third * np.sin(3 * phase_S)
    edge = int(_EDGE_S * SAMPLE_RATE)
    fade = np.minimum(np.arange(1, len(tone_S) + 1) / edge, 1.0)
    return tone_S * fade * fade[::-1]


def _ramp(samples: int) -> np.ndarray:
    return np.arange(samples) / samples


def _rise(recording: np.random.Generator, rng: np.random.Generator, samples: int) -> np.ndarray:
    return _tone(recording, _ramp(samples))


def _fall(recording: np.random.Generator, rng: np.random.Generator, samples: int) -> np.ndarray:
    return _tone(recording, 1.0 - _ramp(samples))


def _arch(recording: np.random.Generator, rng: np.random.Generator, samples: int) -> np.ndarray:
    return _tone(recording, 1.0 - np.abs(1.0 - 2.0 * _ramp(samples)))


def _step(samples: int) -> np.ndarray:
    """Low, then high, joined by a glide quick enough to sound like a jump."""
    return np.clip(0.5 + (np.arange(samples) - samples // 2) / (_GLIDE_S * SAMPLE_RATE), 0.0, 1.0)


def _step_up(recording: np.random.Generator, rng: np.random.Generator, samples: int) -> np.ndarray:
    return _tone(recording, _step(samples))


def _step_down(recording: np.random.Generator, rng: np.random.Generator, samples: int) -> np.ndarray:
    return _tone(recording, 1.0 - _step(samples))


def _trill(recording: np.random.Generator, rng: np.random.Generator, samples: int) -> np.ndarray:
    turns = 3 + int(rng.random() * 3)
    return _tone(recording, (_ramp(samples) * turns % 1.0 >= 0.5).astype(float))


def _swell(recording: np.random.Generator, rng: np.random.Generator, samples: int) -> np.ndarray:
    return _noise(rng, samples) * np.exp(_between(rng, 4.0, 6.0) * (_ramp(samples) - 1.0))


def _fade(recording: np.random.Generator, rng: np.random.Generator, samples: int) -> np.ndarray:
    return _swell(recording, rng, samples)[::-1]


def _pulses(rng: np.random.Generator, samples: int, shorter: float) -> np.ndarray:
    """Eight bursts of noise; every other gap between them is `shorter` times the mean gap."""
    gaps = np.array([shorter, 2.0 - shorter] * 4)
    starts = np.concatenate([[0.0], np.cumsum(gaps)])[:8] / 8
    decay_s = _between(rng, 0.008, 0.014)
    envelope_S = np.zeros(samples)
    for start in starts:
        first = int(start * samples)
        envelope_S[first:] += np.exp(np.arange(samples - first) / (-decay_s * SAMPLE_RATE))
    return _noise(rng, samples) * envelope_S


def _even(recording: np.random.Generator, rng: np.random.Generator, samples: int) -> np.ndarray:
    return _pulses(rng, samples, 1.0)


def _gallop(recording: np.random.Generator, rng: np.random.Generator, samples: int) -> np.ndarray:
    return _pulses(rng, samples, 0.55)


SOUNDS: dict[str, Callable[[np.random.Generator, np.random.Generator, int], np.ndarray]] = {
    "rise": _rise,
    "fall": _fall,
    "arch": _arch,
    "step_up": _step_up,
    "step_down": _step_down,
    "trill": _trill,
    "swell": _swell,
    "fade": _fade,
    "even": _even,
    "gallop": _gallop,
}
"""A tone sweeps up, down, up and down; jumps up, down, to and fro. Noise grows, dies away; beats evenly, in
pairs."""
