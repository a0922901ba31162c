"""The sounds of the toy set: ten classes that differ in the order of events rather than in their spectrum.

Most classes come in pairs that are each other's time reversal: a spectrum averaged over the clip cannot tell them
apart, a spectrogram can. Pitch, speed, colour, level, onset and background are random. Only uniform random numbers and
elementwise arithmetic are used: the last bits of an FFT or a library's filter differ from machine to machine.
"""

from collections.abc import Callable

import numpy as np

from audiosurvey.randomness import stream

SAMPLE_RATE = 16_000
CLIP_SAMPLES = 16_000

_EDGE_S = 0.008
_GLIDE_S = 0.07
Rng = np.random.Generator


def render(name: str, seed: int, source: str, take: str) -> np.ndarray:
    """One clip of class `name` as int16 (S,): the take `take` of the recording `source`.

    Takes of one recording share pitch and colour, as excerpts of one recording do; the rest is drawn for each take.
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
    tilt, echo = _between(recording, -0.7, 0.7), _between(recording, 0.0, 0.5)
    delay = 8 + int(recording.random() * 40)
    wave_S[1:] += tilt * wave_S[:-1].copy()
    wave_S[delay:] += echo * wave_S[:-delay].copy()
    peak = 10 ** (_between(rng, -20.0, -2.0) / 20)
    return np.rint(wave_S * (32767 * peak / np.abs(wave_S).max())).astype(np.int16)


def _between(rng: Rng, low: float, high: float) -> float:
    return low + (high - low) * float(rng.random())


def _noise(rng: Rng, samples: int) -> np.ndarray:
    """White noise of unit variance: the sum of three uniform numbers, near enough to a normal one."""
    return (rng.random((3, samples)).sum(axis=0) - 1.5) * 2.0


def _tone(recording: Rng, contour_S: np.ndarray) -> np.ndarray:
    """A tone with two overtones whose pitch follows `contour_S` (0: low, 1: high) on a musical scale."""
    low_hz = 300.0 * (1100.0 / 300.0) ** recording.random()
    interval = _between(recording, 1.4, 2.0)
    phase_S = np.cumsum(low_hz * interval**contour_S) * (2 * np.pi / SAMPLE_RATE)
    second, third = _between(recording, 0.1, 0.6), _between(recording, 0.0, 0.4)
    tone_S = np.sin(phase_S) + second * np.sin(2 * phase_S) + third * np.sin(3 * phase_S)
    edge = int(_EDGE_S * SAMPLE_RATE)
    fade = np.minimum(np.arange(1, len(tone_S) + 1) / edge, 1.0)
    return tone_S * fade * fade[::-1]


def _ramp(samples: int) -> np.ndarray:
    return np.arange(samples) / samples


def _step(samples: int) -> np.ndarray:
    """Low, then high, joined by a glide quick enough to sound like a jump."""
    return np.clip(0.5 + (np.arange(samples) - samples // 2) / (_GLIDE_S * SAMPLE_RATE), 0.0, 1.0)


def _trill(recording: Rng, rng: Rng, samples: int) -> np.ndarray:
    turns = 3 + int(rng.random() * 3)
    return _tone(recording, (_ramp(samples) * turns % 1.0 >= 0.5).astype(float))


def _swell(recording: Rng, rng: Rng, samples: int) -> np.ndarray:
    return _noise(rng, samples) * np.exp(_between(rng, 4.0, 6.0) * (_ramp(samples) - 1.0))


def _pulses(rng: Rng, samples: int, shorter: float) -> np.ndarray:
    """Eight bursts of noise; every other gap between them is `shorter` times the mean gap."""
    gaps = np.array([shorter, 2.0 - shorter] * 4)
    starts = np.concatenate([[0.0], np.cumsum(gaps)])[:8] / 8
    decay_s = _between(rng, 0.008, 0.014)
    envelope_S = np.zeros(samples)
    for start in starts:
        first = int(start * samples)
        envelope_S[first:] += np.exp(np.arange(samples - first) / (-decay_s * SAMPLE_RATE))
    return _noise(rng, samples) * envelope_S


SOUNDS: dict[str, Callable[[Rng, Rng, int], np.ndarray]] = {
    "rise": lambda recording, rng, samples: _tone(recording, _ramp(samples)),
    "fall": lambda recording, rng, samples: _tone(recording, 1.0 - _ramp(samples)),
    "arch": lambda recording, rng, samples: _tone(recording, 1.0 - np.abs(1.0 - 2.0 * _ramp(samples))),
    "step_up": lambda recording, rng, samples: _tone(recording, _step(samples)),
    "step_down": lambda recording, rng, samples: _tone(recording, 1.0 - _step(samples)),
    "trill": _trill,
    "swell": _swell,
    "fade": lambda recording, rng, samples: _swell(recording, rng, samples)[::-1],
    "even": lambda recording, rng, samples: _pulses(rng, samples, 1.0),
    "gallop": lambda recording, rng, samples: _pulses(rng, samples, 0.55),
}
"""Generator of each class: tones that sweep or jump, and noise that swells, fades, or beats evenly or in pairs."""
