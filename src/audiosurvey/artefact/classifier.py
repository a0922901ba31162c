"""The interface of all models, whatever runs them: from sounds to labels with scores.

Subclasses compute the scores of windows. As in evaluation, a sound is rounded to the 16 bits of the store and cut into
windows (`data.audio.windows`), and the scores of its windows are averaged (`training.sound_scores`) and calibrated.
"""

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from audiosurvey.artefact.arrays import is_path, rate_of, several, wave_of
from audiosurvey.artefact.decision import Thresholds, decide
from audiosurvey.artefact.detection import DetectionSettings
from audiosurvey.artefact.temperature import Temperatures, tempered
from audiosurvey.artefact.training_range import TrainingRange
from audiosurvey.data.audio.decoding import BadAudio, decode, resample
from audiosurvey.data.audio.measures import Measures, measure, median
from audiosurvey.data.audio.windows import split_windows, window_starts
from audiosurvey.data.names import composed, composed_keys
from audiosurvey.data.store.spool import quantize
from audiosurvey.errors import ArgumentError, UserError
from audiosurvey.training.sound_scores import WindowMean

BATCH_WINDOWS = 16
"""Windows in a batch, which may span sounds."""


class Classifier(ABC):
    """A model that classifies sounds."""

    def __init__(self, facts: dict[str, Any], *, binary: bool | None = None) -> None:
        """`facts`: the contents of model.json.

        `binary`: scores are a sigmoid of each class, not a softmax; None: unknown, as in exported files of older
        versions, whose scores are used as they are.
        """
        self.facts = facts
        self.labels = [composed(label) for label in facts["labels"]]
        """Class names, in the order of the columns of `scores`."""
        self.sample_rate: int = facts["sample_rate"]
        """Rate in Hz of waves for `scores`."""
        self.clip_samples: int = facts["clip_samples"]
        """Samples of one window, as in training."""
        self.multi_label = bool(facts.get("multi_label"))
        """Whether a sound may have several labels; else classes are exclusive."""
        calibration = facts.get("calibration", {})
        self.temperature: float = calibration.get("temperature", 1.0)
        """Divisor of the logits of one window; 1 without calibration."""
        self.sound_temperature: float = calibration.get("sound_temperature", self.temperature)
        """For the mean of several windows."""
        self.thresholds: dict[str, float] = composed_keys(facts.get("thresholds", {}))
        """By label, for the score of one window. A sound whose best class is below its threshold is `unknown`; with
        several labels, such a label is not given. Empty if none were chosen."""
        self.sound_thresholds: dict[str, float] = composed_keys(facts.get("sound_thresholds", self.thresholds))
        """For the mean of several windows."""
        self.rejects_others: bool = calibration.get("others", 0) > 0
        """Whether the thresholds were chosen with sounds of no class; then they apply unless others are given."""
        known = binary is not None
        self.temperatures = Temperatures(binary, self.temperature, self.sound_temperature) if known else Temperatures()
        """Calibrate scores."""
        found = facts.get("detection")
        own = DetectionSettings.default(self.clip_samples / self.sample_rate)
        self.detection = DetectionSettings.from_json(found) if found else own
        """How events are found in long recordings."""
        self.training_range = TrainingRange.from_json(facts.get("training_range"))
        """Level, bandwidth, length and signal-to-noise ratio of the training clips; None for older models."""

    @abstractmethod
    def scores(self, wave: Any) -> np.ndarray:
        """Calibrated probabilities; the whole input is one window.

        Args:
            wave: samples (S), (B, S) or (S, C) at `sample_rate`.

        Returns:
            Probabilities (B, K), float32, in the order of `labels`.

        Raises:
            UserError: for arrays that are no sounds.
        """

    def uncalibrated(self, wave: Any) -> np.ndarray:
        """As `scores`, without the temperature.

        Args:
            wave: as in `scores`.

        Returns:
            Probabilities (B, K), float32.

        Raises:
            UserError: as `scores` does.
        """
        scores_BK = self.scores(wave)
        if self.temperatures.window == 1:
            return scores_BK
        return tempered(scores_BK, 1 / self.temperatures.window, self.temperatures.binary).astype(np.float32)

    def logits(self, wave: Any) -> np.ndarray:
        """The logits of the network.

        Args:
            wave: as in `scores`.

        Returns:
            Logits (B, K), float32.

        Raises:
            UserError: as `scores` does, and for an exported file.
        """
        raise UserError("logits: an exported file gives scores only; load the model folder it was made from")

    def to(self, device: str) -> None:
        """Moves the model to a device. Sounds and scores stay on the CPU.

        Args:
            device: `auto` (a GPU if available), `cpu`, `cuda`, `cuda:1` or `mps`.

        Raises:
            UserError: for a device that is not there, and for an exported file and any device but the CPU.
        """
        if device not in ("auto", "cpu"):
            raise ArgumentError("{device}: an exported file runs on the CPU only; leave it out", device=device)

    def embed(self, sound: Any, sample_rate: int | None = None) -> np.ndarray:
        """The features before the classifier.

        Args:
            sound: as in `predict`.
            sample_rate: as in `predict`.

        Returns:
            Features (N), float32, for one sound; (B, N) for several.

        Raises:
            UserError: as `predict` does, and for an exported file.
        """
        raise UserError("embed: an exported file gives scores only; load the model folder it was made from")

    def predict(self, sound: Any, sample_rate: int | None = None) -> Any:
        """The labels of sounds with their scores.

        Long sounds are cut into windows as in evaluation, and the mean of their scores is calibrated. Windows of
        several sounds are scored together.

        Args:
            sound: a path, or samples (S) or (S, C); a list of these, or samples (B, S), for several sounds. Integers
                are PCM, floats have full scale 1. An array with at most 32 columns and more rows contains channels,
                which are mixed down.
            sample_rate: of arrays, in Hz; None: that of the model.

        Returns:
            `{label: score}`, highest first; a list of them for several sounds.

        Raises:
            UserError: for a sound that cannot be read.
        """
        sounds, alone = several(sound)
        means = self._means(self.uncalibrated, sounds, sample_rate)
        for sound_, mean in zip(sounds, means, strict=True):
            if fault := unusable_reason(mean.value()):
                raise UserError(f"{sound_ if is_path(sound_) else 'array'}: {fault}")
        ranked = [self.ranked(mean.value(), mean.windows) for mean in means]
        return ranked[0] if alone else ranked

    def notes(self, sound: Any, sample_rate: int | None = None) -> Any:
        """How sounds differ from the training clips.

        Args:
            sound: as in `predict`.
            sample_rate: as in `predict`.

        Returns:
            Texts such as `["24 dB softer than the training clips"]`; empty for a sound like the training clips, and
            for a model without a training range. A list of lists for several sounds.

        Raises:
            UserError: as `predict` does.
        """
        sounds, alone = several(sound)
        found = [self._notes(self.measured(sound_wave(self, one, sample_rate))) for one in sounds]
        return found[0] if alone else found

    def measured(self, wave_S: np.ndarray) -> Measures | None:
        """Recording conditions of a sound, the median over its windows.

        Args:
            wave_S: samples (S) at `sample_rate`.

        Returns:
            Level, bandwidth, length and signal-to-noise ratio; None for a model without a training range.
        """
        if self.training_range is None:
            return None
        starts = window_starts(len(wave_S), self.clip_samples)
        return median([measure(wave_S[start : start + self.clip_samples], self.sample_rate) for start in starts])

    def _notes(self, measures: Measures | None) -> list[str]:
        return [] if measures is None or self.training_range is None else self.training_range.notes(measures)

    def decide(self, sound: Any, sample_rate: int | None = None, *, threshold: float | None = None) -> Any:
        """The labels of sounds, or `unknown`.

        Args:
            sound: as in `predict`.
            sample_rate: as in `predict`.
            threshold: the score to reach; None: the thresholds of the model.

        Returns:
            `["siren"]`, or `["unknown"]`: one of exclusive classes, with several labels any number, best first. A list
            of lists for several sounds.

        Raises:
            UserError: as `predict` does.
        """
        sounds, alone = several(sound)
        least = self.own_threshold if threshold is None else threshold
        labels = [
            decide(self.ranked(mean.value(), mean.windows), least, mean.windows, multi_label=self.multi_label)
            for mean in self._means(self.uncalibrated, sounds, sample_rate)
        ]
        return labels[0] if alone else labels

    @property
    def own_threshold(self) -> Thresholds | None:
        """The thresholds of the model; None without any."""
        return Thresholds(self.thresholds, self.sound_thresholds) if self.thresholds else None

    def ranked(self, score_K: np.ndarray, windows: int) -> dict[str, float]:
        """Labels with calibrated scores, from uncalibrated ones.

        Args:
            score_K: the uncalibrated mean (K) over windows.
            windows: their number.

        Returns:
            `{label: score}`, best first.
        """
        calibrated_K = self.temperatures.apply(score_K, windows)
        return {self.labels[k]: float(calibrated_K[k]) for k in np.argsort(-score_K, kind="stable")}

    def decoded(self, path: Path) -> np.ndarray:
        """A sound file at the model's rate.

        Args:
            path: the file.

        Returns:
            Mono samples (S), float32 with full scale 1.

        Raises:
            UserError: for a file that cannot be read.
        """
        try:
            return decode(path, mono=self.facts["mono"], sample_rate=self.sample_rate)
        except BadAudio as error:
            raise UserError(f"{path}: {error.reason}") from None

    def windows(self, wave_S: np.ndarray) -> np.ndarray:
        """The windows of a sound of any length, cut as in evaluation and padded as in training.

        Args:
            wave_S: samples (S) at `sample_rate`.

        Returns:
            Windows (W, S), float32.
        """
        # Rounded to the 16 bits of the store as in training: in decibels rounding is visible in silence.
        stored_S, scale = quantize(wave_S)
        return split_windows(stored_S * np.float32(scale), self.clip_samples, self.facts["pad"])

    def _means(
        self, of: Callable[[np.ndarray], np.ndarray], sounds: Iterable[Any], sample_rate: int | None
    ) -> list[WindowMean]:
        """The mean of `of`, a function of windows (B, S), over the windows of each sound."""
        means: defaultdict[int, WindowMean] = defaultdict(WindowMean)
        windows = (
            (row, window_S)
            for row, sound in enumerate(sounds)
            for window_S in self.windows(sound_wave(self, sound, sample_rate))
        )
        while group := list(islice(windows, BATCH_WINDOWS)):
            given_BK = of(np.stack([window_S for _, window_S in group]))
            for (row, _), given_K in zip(group, given_BK, strict=True):
                means[row].add(given_K)
        return list(means.values())


def sound_wave(model: Classifier, sound: Any, sample_rate: int | None = None) -> np.ndarray:
    """A path, or an array at `sample_rate` Hz (None: the model's), as a wave (S) at the model's rate.

    Raises UserError for a sound that cannot be read.
    """
    if is_path(sound):
        return model.decoded(Path(sound))
    rate = model.sample_rate if sample_rate is None else rate_of(sample_rate)
    try:
        return resample(wave_of(sound, model.facts["mono"]), rate, model.sample_rate)
    except BadAudio as error:
        raise UserError(f"array: {error.reason}") from None


def unusable_reason(score_K: np.ndarray) -> str | None:
    """Why scores cannot be used; None for finite ones."""
    return None if np.isfinite(score_K).all() else "the scores are not numbers (NaN or infinity)"
