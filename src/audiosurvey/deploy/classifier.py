"""What every usable model is, whatever runs it: sounds of any kind in, labels with scores out.

A model says how windows become scores (`scores`); how a sound becomes windows stands here, once, and is what evaluation
does: the 16 bits of the store, the windows, the padding, the mean over the windows of a sound.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from audiosurvey.data.audio import BadAudio, decode, resample
from audiosurvey.data.batches import window_starts
from audiosurvey.data.plausibility import implausible
from audiosurvey.data.spool import quantize
from audiosurvey.errors import UserError

BATCH_WINDOWS = 16
"""Windows that go through a model at once, however many sounds they are from."""


class Classifier(ABC):
    """Sounds in, labels with scores out."""

    def __init__(self, facts: dict[str, Any]) -> None:
        """`facts`: what model.json says of labels, rate, window, padding, the way to mono, temperature, thresholds."""
        self.facts = facts
        self.labels: list[str] = facts["labels"]
        """Class names, in the order of the columns of `scores`."""
        self.sample_rate: int = facts["sample_rate"]
        """Rate in Hz of the waves that `scores` takes."""
        self.clip_samples: int = facts["clip_samples"]
        """Samples of one window, as in training."""
        self.temperature: float = facts.get("calibration", {}).get("temperature", 1.0)
        """What logits are divided by before they become scores; 1 where nothing was calibrated."""
        self.thresholds: dict[str, float] = facts.get("thresholds", {})
        """For each class the score below which a sound is rather not of it; empty where none were chosen."""

    @abstractmethod
    def scores(self, wave: Any) -> np.ndarray:
        """Calibrated probabilities (B, K) of waves (S) or (B, S) at `sample_rate`; the whole input is one window."""

    def logits(self, wave: Any) -> np.ndarray:
        """Logits (B, K) of waves (S) or (B, S) at `sample_rate`. Raises UserError where a model gives scores only."""
        raise UserError("logits: an exported file gives scores only; load the model folder that it was made from")

    def to(self, device: str) -> None:
        """Moves the model to a device (`auto`: a GPU where there is one); sounds and scores stay on the processor.

        Raises UserError where it can run on the processor only.
        """
        if device not in ("auto", "cpu"):
            raise UserError(f"--device {device}: an exported file runs on the processor; leave --device out")

    def embed(self, sound: Any, sample_rate: int | None = None) -> np.ndarray:
        """The features before the classifier, of sounds as `predict` takes them. Raises UserError where a model gives
        scores only.

        Shape: (N) for a path or an array (S); (B, N) for a list or an array (B, S).
        """
        raise UserError("embed: an exported file gives scores only; load the model folder that it was made from")

    def predict(self, sound: Any, sample_rate: int | None = None) -> Any:
        """`{label: score}`, highest first, for a path, an array (S), or each of a list or an array (B, S).

        Arrays are taken at `sample_rate` in Hz (default: the model's); integers are PCM, full scale is 1. Long sounds
        are cut into the windows that evaluation uses, and their scores averaged. The windows of a list's sounds go
        through the network together. Raises UserError for a sound that cannot be read.
        """
        sounds, alone = several(sound)
        averages = self._averages(self.scores, sounds, sample_rate)
        for sound_, score_K in zip(sounds, averages, strict=True):
            if fault := unusable(score_K):
                raise UserError(f"{sound_}: {fault}" if isinstance(sound_, (str, Path)) else f"a sound: {fault}")
        ranked = [self._ranked(score_K) for score_K in averages]
        return ranked[0] if alone else ranked

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

    def _averages(
        self, of: Callable[[np.ndarray], np.ndarray], sounds: Iterable[Any], sample_rate: int | None
    ) -> list[np.ndarray]:
        """What `of` gives for windows (B, S), averaged over the windows of each sound."""
        totals: dict[int, np.ndarray] = {}
        counts: dict[int, int] = {}
        windows = (
            (row, window_S)
            for row, sound in enumerate(sounds)
            for window_S in self.windows(self._wave(sound, sample_rate))
        )
        while group := list(islice(windows, BATCH_WINDOWS)):
            given_BK = of(np.stack([window_S for _, window_S in group])).astype(np.float64)
            for (row, _), given_K in zip(group, given_BK, strict=True):
                totals[row] = totals.get(row, 0.0) + given_K
                counts[row] = counts.get(row, 0) + 1
        return [(total / counts[row]).astype(np.float32) for row, total in totals.items()]

    def _ranked(self, score_K: np.ndarray) -> dict[str, float]:
        order = np.argsort(-score_K, kind="stable")
        return {self.labels[k]: float(score_K[k]) for k in order}

    def _wave(self, sound: Any, sample_rate: int | None) -> np.ndarray:
        """A path or an array (S) as a wave (S) at the model's rate."""
        if isinstance(sound, (str, Path)):
            return self.decoded(Path(sound))
        return self._resampled(np.asarray(sound), sample_rate)

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
        if fault := implausible(wave_S):
            raise UserError(f"a sound of this array {fault}")
        return wave_S if rate == self.sample_rate else resample(wave_S, rate, self.sample_rate)


def unusable(score_K: np.ndarray) -> str | None:
    """Why these scores cannot be used, in plain words; None for finite numbers."""
    return None if np.isfinite(score_K).all() else "the model's scores for it are not numbers (NaN or infinity)"


def several(sound: Any) -> tuple[list[Any], bool]:
    """The sounds of a list, of an array (B, S), or the one that it is; whether it is one."""
    if isinstance(sound, (list, tuple)):
        return list(sound), False
    if not isinstance(sound, (str, Path)) and np.ndim(sound) == 2:
        return list(np.asarray(sound)), False
    return [sound], True


def waves(wave: Any) -> np.ndarray:
    """(S) or (B, S) as float32 (B, S). Raises UserError for another shape, or samples that are not numbers."""
    wave_BS = np.atleast_2d(np.asarray(wave, dtype=np.float32))
    if wave_BS.ndim != 2 or not np.isfinite(wave_BS).all():
        raise UserError(f"waves are arrays (S) or (B, S) of finite samples; these have the shape {np.shape(wave)}")
    if fault := implausible(wave_BS):
        raise UserError(f"a wave {fault}")
    return wave_BS
