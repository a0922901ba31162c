"""Corruptions of test clips, each at five severities, at the sample rate of a model.

Everything drawn comes from the clip's own random stream and is the same at all severities: only the level differs. So
a clip at severity 3 is the clip of severity 2 with more of the same.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from audiosurvey.analysis import mp3
from audiosurvey.augment.wave.clipping import Clipping, ClippingConfig, ClippingDraw
from audiosurvey.augment.wave.low_pass import LowPass, LowPassConfig, LowPassDraw
from audiosurvey.augment.wave.noise import TABLE_SAMPLES, Colour, Noise, NoiseConfig, NoiseDraw
from audiosurvey.augment.wave.reverb import LEAD_SAMPLES, align, reverberate
from audiosurvey.data.audio.degradations import band_limited

SUITE = 1
"""Increased whenever a corruption or a level changes: scores of two suites are not compared."""
SEVERITIES = 5
_PIECES = 5
"""Stretches that are muted in each clip."""
_MU = 255.0


@dataclass(frozen=True, slots=True)
class Scene:
    """What a corruption needs besides the clip."""

    sample_rate: int
    rng: np.random.Generator
    """Drawn from the clip's own stream."""
    other: Callable[[], np.ndarray | None]
    """A training clip (S) of another class, as long as the clip and not silent; None if there is none."""


Corrupt = Callable[[np.ndarray, float, Scene], np.ndarray]
"""From a clip (S), a level and a scene to the corrupted clip (S), float32."""


@dataclass(frozen=True, slots=True)
class Corruption:
    """One kind of corruption with its levels, mildest first."""

    name: str
    title: str
    quantity: str
    """What the levels measure, with its unit: `SNR in dB`."""
    levels: tuple[float, ...]
    corrupt: Corrupt
    in_mean: bool = True
    """Whether it counts in means over corruptions; not if some machines cannot make it."""


def corruptions() -> list[Corruption]:
    """The ten corruptions in the order of tables, and MP3 where libsndfile writes it."""
    found = [
        Corruption("white_noise", "white noise", "SNR in dB", (30, 20, 15, 10, 5), _noise("white")),
        Corruption("pink_noise", "pink noise", "SNR in dB", (30, 20, 15, 10, 5), _noise("pink")),
        Corruption("other_class", "other class mixed in", "SNR in dB", (20, 15, 10, 5, 0), _mix),
        Corruption("low_pass", "low pass", "cut-off in Hz", (8000, 6000, 4000, 2000, 1000), _low_pass),
        Corruption("clipping", "clipping", "dB below the peak", (6, 12, 18, 24, 30), _clip),
        Corruption("mu_law", "mu-law", "bits a sample", (8, 6, 5, 4, 3), _mu_law),
        Corruption("resampling", "resampled and back", "rate in Hz", (16000, 12000, 8000, 6000, 4000), _resample),
        Corruption("gain", "gain, up or down", "dB", (6, 12, 18, 24, 30), _gain),
        Corruption("reverberation", "reverberation", "RT60 in s", (0.2, 0.5, 1.0, 1.5, 2.0), _reverberate),
        Corruption("muted", "muted stretches", "share of the clip", (0.1, 0.2, 0.3, 0.4, 0.5), _mute),
    ]
    if mp3.mp3_is_written():
        found.append(Corruption("mp3", "MP3", "kbit/s", tuple(map(float, mp3.RATES_HZ)), _mp3, in_mean=False))
    return found


def fitted(other_S: np.ndarray, samples: int) -> np.ndarray:
    """A clip repeated, or cut, to `samples`."""
    return np.resize(other_S, samples)


def impulse_response(rt60_s: float, samples: int, scene: Scene) -> np.ndarray:
    """Direct sound and an exponential tail of noise, which falls by 60 dB in `rt60_s`; `samples` long.

    The tail begins at the same level whatever its length, as in one room with walls of other absorption: its energy
    grows with the reverberation time, and equals that of the direct sound at 1 s.

    Source: Polack's model of diffuse reverberation, h(t) = b(t) exp(-3 ln(10) t / RT60) with Gaussian b.
    """
    rate = scene.sample_rate
    decay_S = np.exp(-3 * np.log(10) * np.arange(1, samples) / (rt60_s * rate))
    # The energy of the tail is sigma^2 RT60 rate / (6 ln 10).
    sigma = np.sqrt(6 * np.log(10) / rate)
    return np.concatenate([[1.0], sigma * scene.rng.standard_normal(samples - 1) * decay_S])


def _noise(colour: Colour) -> Corrupt:
    def corrupt(wave_S: np.ndarray, snr_db: float, scene: Scene) -> np.ndarray:
        draw = NoiseDraw(snr_db, int(scene.rng.integers(TABLE_SAMPLES)), 1, colour)
        return Noise(NoiseConfig()).render(_batch(wave_S), [draw], [len(wave_S)])[0].numpy()

    return corrupt


def _mix(wave_S: np.ndarray, snr_db: float, scene: Scene) -> np.ndarray:
    other_S = scene.other()
    if other_S is None:
        return wave_S
    gain = np.sqrt(_power(wave_S) / _power(other_S) * 10 ** (-snr_db / 10))
    return wave_S + np.float32(gain) * other_S


def _low_pass(wave_S: np.ndarray, cutoff_hz: float, scene: Scene) -> np.ndarray:
    operation = LowPass(LowPassConfig(), sample_rate=scene.sample_rate)
    return operation.render(_batch(wave_S), [LowPassDraw(cutoff_hz)], [len(wave_S)])[0].numpy()


def _clip(wave_S: np.ndarray, depth_db: float, scene: Scene) -> np.ndarray:
    return Clipping(ClippingConfig()).render(_batch(wave_S), [ClippingDraw(depth_db)], [len(wave_S)])[0].numpy()


def _mu_law(wave_S: np.ndarray, bits: float, scene: Scene) -> np.ndarray:
    """Companded (mu = 255), rounded to 2^bits - 1 levels around zero, and expanded; full scale is the clip's peak.

    Source: ITU-T G.711, with the logarithm itself in place of its segments.
    """
    peak = float(np.abs(wave_S).max(initial=0.0))
    if peak == 0:
        return wave_S
    top = 2 ** (int(bits) - 1) - 1
    companded_S = np.sign(wave_S) * np.log1p(_MU * np.abs(wave_S) / peak) / np.log1p(_MU)
    coded_S = np.round(companded_S * top) / top
    return (np.sign(coded_S) * peak * np.expm1(np.abs(coded_S) * np.log1p(_MU)) / _MU).astype(np.float32)


def _resample(wave_S: np.ndarray, rate_hz: float, scene: Scene) -> np.ndarray:
    return band_limited(wave_S, scene.sample_rate, int(rate_hz)) if rate_hz < scene.sample_rate else wave_S


def _gain(wave_S: np.ndarray, gain_db: float, scene: Scene) -> np.ndarray:
    """Half of the clips become louder, the others softer."""
    sign = 1 if scene.rng.random() < 0.5 else -1
    return wave_S * np.float32(10 ** (sign * gain_db / 20))


def _reverberate(wave_S: np.ndarray, rt60_s: float, scene: Scene) -> np.ndarray:
    response = align(impulse_response(rt60_s, len(wave_S), scene))[: len(wave_S) + LEAD_SAMPLES]
    return reverberate(_batch(wave_S), torch.from_numpy(response)[None])[0].numpy()


def _mute(wave_S: np.ndarray, share: float, scene: Scene) -> np.ndarray:
    """A stretch of each fifth of the clip becomes digital silence, which grows to both sides with the share."""
    muted_S = wave_S.copy()
    edges = np.linspace(0, len(wave_S), _PIECES + 1)
    for begin, end, place in zip(edges[:-1], edges[1:], scene.rng.random(_PIECES), strict=True):
        first = begin + place * (1 - share) * (end - begin)
        muted_S[round(first) : round(first + share * (end - begin))] = 0
    return muted_S


def _mp3(wave_S: np.ndarray, kbit_s: float, scene: Scene) -> np.ndarray:
    return mp3.round_trip(wave_S, scene.sample_rate, int(kbit_s))


def _batch(wave_S: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(wave_S, np.float32))[None]


def _power(wave_S: np.ndarray) -> float:
    return float(np.square(wave_S, dtype=np.float64).mean())
