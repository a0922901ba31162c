"""What every usable model is, whatever runs it: sounds of any kind in, labels with scores out.

A model says how windows become scores (`scores`); how a sound becomes windows stands here, once, and is what evaluation
does: the 16 bits of the store, the windows, the padding, the mean over the windows of a sound.
"""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np

from audiosurvey.data.audio import BadAudio, decode, resample
from audiosurvey.data.batches import window_starts
from audiosurvey.data.building import quantize
from audiosurvey.errors import UserError


class Classifier(ABC):
    """Sounds in, labels with scores out."""

    def __init__(self, facts: dict[str, Any]) -> None:
        """`facts`: what model.json says of labels, rate, window, padding and the way to mono."""
        self.facts = facts
        self.labels: list[str] = facts["labels"]
        """Class names, in the order of the columns of `scores`."""
        self.sample_rate: int = facts["sample_rate"]
        """Rate in Hz of the waves that `scores` takes."""
        self.clip_samples: int = facts["clip_samples"]
        """Samples of one window, as in training."""

    @abstractmethod
    def scores(self, wave: Any) -> np.ndarray:
        """Probabilities (B, K) of waves (S) or (B, S) at `sample_rate`; the whole input is one window."""

    def logits(self, wave: Any) -> np.ndarray:
        """Logits (B, K) of waves (S) or (B, S) at `sample_rate`. Raises UserError where a model gives scores only."""
        raise UserError("logits: an exported file gives scores only; load the model folder that it was made from")

    def predict(self, sound: Any, sample_rate: int | None = None) -> Any:
        """`{label: score}`, highest first, for a path, an array (S), or each of a list or an array (B, S).

        Arrays are taken at `sample_rate` in Hz (default: the model's); integers are PCM, full scale is 1. Long sounds
        are cut into the windows that evaluation uses, and their scores averaged. Raises UserError for a sound that
        cannot be read.
        """
        if isinstance(sound, (list, tuple)):
            return [self.predict(one, sample_rate) for one in sound]
        if isinstance(sound, (str, Path)):
            return self._predict(self.decoded(Path(sound)))
        wave = np.asarray(sound)
        if wave.ndim == 2:
            return [self.predict(one, sample_rate) for one in wave]
        return self._predict(self._resampled(wave, sample_rate))

    def decoded(self, path: Path) -> np.ndarray:
        """A sound file as a mono wave (S) at the model's rate. Raises UserError, naming it and what is wrong."""
        try:
            return decode(path, mono=self.facts["mono"], sample_rate=self.sample_rate)
        except BadAudio as error:
            raise UserError(f"{path}: {error.reason}") from None

    def windows(self, wave_S: np.ndarray) -> np.ndarray:
        """The windows (W, S) that evaluation cuts a sound of any length into, padded as in training."""
        # Through the 16 bits of the store, as in training and evaluation: in decibels their rounding shows in silence.
        stored_S, scale = quantize(wave_S)
        wave_S = stored_S * np.float32(scale)
        starts = window_starts(len(wave_S), self.clip_samples)
        windows_WS = np.zeros((len(starts), self.clip_samples), dtype=np.float32)
        for row, begin in zip(windows_WS, starts, strict=True):
            part = wave_S[begin : begin + self.clip_samples]
            row[: len(part)] = part
            if self.facts["pad"] == "repeat":
                row[:] = np.resize(part, self.clip_samples)
        return windows_WS

    def _predict(self, wave_S: np.ndarray) -> dict[str, float]:
        score_K = self.scores(self.windows(wave_S)).mean(axis=0)
        order = np.argsort(-score_K, kind="stable")
        return {self.labels[k]: float(score_K[k]) for k in order}

    def _resampled(self, wave: np.ndarray, sample_rate: int | None) -> np.ndarray:
        if wave.ndim != 1 or not len(wave) or wave.dtype.kind not in "fiu":
            raise UserError(f"a sound is a path or an array of samples; this is {wave.dtype} of the shape {wave.shape}")
        rate = self.sample_rate if sample_rate is None else sample_rate
        if rate <= 0:
            raise UserError(f"sample_rate: {rate} Hz; expected the rate of the samples")
        if wave.dtype.kind != "f":
            offset = 2 ** (8 * wave.itemsize - 1)
            wave = (wave.astype(np.float64) - (offset if wave.dtype.kind == "u" else 0)) / offset
        wave_S = wave.astype(np.float32)
        if not np.isfinite(wave_S).all():
            raise UserError("a sound of this array has samples that are not numbers")
        return wave_S if rate == self.sample_rate else resample(wave_S, rate, self.sample_rate)


def waves(wave: Any) -> np.ndarray:
    """(S) or (B, S) as float32 (B, S). Raises UserError for another shape, or samples that are not numbers."""
    wave_BS = np.atleast_2d(np.asarray(wave, dtype=np.float32))
    if wave_BS.ndim != 2 or not np.isfinite(wave_BS).all():
        raise UserError(f"waves are arrays (S) or (B, S) of finite samples; these have the shape {np.shape(wave)}")
    return wave_BS
