"""What every usable model is, whatever runs it: sounds of any kind in, labels with scores out.

A model says how windows become scores (`scores`). The rest is what evaluation does: a sound is rounded to the 16 bits
of the store and cut into windows (`data.windows`), and the scores of its windows become its score
(`training.sound_scores`), which is then calibrated.
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
from audiosurvey.artefact.temperature import Temperatures, tempered
from audiosurvey.artefact.training_range import TrainingRange
from audiosurvey.data.audio.decoding import BadAudio, decode, resample
from audiosurvey.data.audio.measures import Measures, measure, median
from audiosurvey.data.audio.windows import split_windows, window_starts
from audiosurvey.data.names import composed, composed_keys
from audiosurvey.data.store.spool import quantize
from audiosurvey.errors import UserError
from audiosurvey.training.sound_scores import WindowMean

BATCH_WINDOWS = 16
"""Windows that go through a model at once, however many sounds they are from."""


class Classifier(ABC):
    """Sounds in, labels with scores out."""

    def __init__(self, facts: dict[str, Any], *, binary: bool | None = None) -> None:
        """`facts`: what model.json says of labels, rate, window, padding, the way to mono, temperatures, thresholds.

        `binary`: scores are a sigmoid for each class rather than a softmax; None: not known, as in exported files of
        older versions, whose scores are taken as they are.
        """
        self.facts = facts
        self.labels = [composed(label) for label in facts["labels"]]
        """Class names, in the order of the columns of `scores`."""
        self.sample_rate: int = facts["sample_rate"]
        """Rate in Hz of the waves that `scores` takes."""
        self.clip_samples: int = facts["clip_samples"]
        """Samples of one window, as in training."""
        self.multi_label = bool(facts.get("multi_label"))
        """Whether a sound may have several labels; else classes are exclusive."""
        calibration = facts.get("calibration", {})
        self.temperature: float = calibration.get("temperature", 1.0)
        """What the logits of one window are divided by before they become scores; 1 where nothing was calibrated."""
        self.sound_temperature: float = calibration.get("sound_temperature", self.temperature)
        """The same for a score that is the mean of several windows."""
        self.thresholds: dict[str, float] = composed_keys(facts.get("thresholds", {}))
        """By label, for the score of one window: below it the sound is `unknown` if this is its best class (with
        several labels: the label is not given). Empty where none were chosen."""
        self.sound_thresholds: dict[str, float] = composed_keys(facts.get("sound_thresholds", self.thresholds))
        """The same for a score that is the mean of several windows."""
        known = binary is not None
        self.temperatures = Temperatures(binary, self.temperature, self.sound_temperature) if known else Temperatures()
        """From uncalibrated scores to calibrated ones."""
        self.training_range = TrainingRange.from_json(facts.get("training_range"))
        """Level, bandwidth, length and signal-to-noise ratio of the training clips; None for older models."""

    @abstractmethod
    def scores(self, wave: Any) -> np.ndarray:
        """Calibrated probabilities (B, K) of waves (S) or (B, S) at `sample_rate`; the whole input is one window."""

    def uncalibrated(self, wave: Any) -> np.ndarray:
        """Probabilities (B, K) of waves as `scores` takes them, float32, with no temperature in them."""
        scores_BK = self.scores(wave)
        if self.temperatures.window == 1:
            return scores_BK
        return tempered(scores_BK, 1 / self.temperatures.window, self.temperatures.binary).astype(np.float32)

    def logits(self, wave: Any) -> np.ndarray:
        """Logits (B, K) of waves (S) or (B, S) at `sample_rate`. Raises UserError where a model gives scores only."""
        raise UserError("logits: an exported file gives scores only; load the model folder that it was made from")

    def to(self, device: str) -> None:
        """Moves the model to a device (`auto`: a GPU where there is one); sounds and scores stay on the processor.

        Raises UserError where it can run on the processor only.
        """
        if device not in ("auto", "cpu"):
            raise UserError(f"device {device}: an exported file runs on the CPU only; give cpu, or no device")

    def embed(self, sound: Any, sample_rate: int | None = None) -> np.ndarray:
        """The features before the classifier, of sounds as `predict` takes them. Raises UserError where a model gives
        scores only.

        Shape: (N) for a path or an array (S); (B, N) for a list or an array (B, S).
        """
        raise UserError("embed: an exported file gives scores only; load the model folder that it was made from")

    def predict(self, sound: Any, sample_rate: int | None = None) -> Any:
        """`{label: score}`, highest first, for a path or an array (S) or (S, C); a list of them for a list or (B, S).

        Arrays are taken at `sample_rate` in Hz (default: the model's); integers are PCM, floats have full scale 1. An
        array with at most 32 columns, fewer than its rows, holds channels, which are mixed down. Long sounds are cut
        into the windows that evaluation uses, and the mean of their scores is calibrated. The windows of a list's
        sounds go through the network together. Raises UserError for a sound that cannot be read.
        """
        sounds, alone = several(sound)
        means = self._means(self.uncalibrated, sounds, sample_rate)
        for sound_, mean in zip(sounds, means, strict=True):
            if fault := unusable(mean.value()):
                raise UserError(f"{sound_}: {fault}" if is_path(sound_) else f"a sound: {fault}")
        ranked = [self.ranked(mean.value(), mean.windows) for mean in means]
        return ranked[0] if alone else ranked

    def notes(self, sound: Any, sample_rate: int | None = None) -> Any:
        """What of a sound lies outside the training clips, as texts: `["24 dB softer than the training clips"]`.

        Takes what `predict` takes, and gives a list for one sound, a list of lists for several. Empty where nothing
        lies outside, and for a model of an older version, which does not know its training clips.
        """
        sounds, alone = several(sound)
        found = [self._notes(self.measured(self._wave(one, sample_rate))) for one in sounds]
        return found[0] if alone else found

    def measured(self, wave_S: np.ndarray) -> Measures | None:
        """The measures of a sound (S) at the model's rate, the median over its windows; None for a model that does not
        know its training clips."""
        if self.training_range is None:
            return None
        starts = window_starts(len(wave_S), self.clip_samples)
        return median([measure(wave_S[start : start + self.clip_samples], self.sample_rate) for start in starts])

    def _notes(self, measures: Measures | None) -> list[str]:
        return [] if measures is None or self.training_range is None else self.training_range.notes(measures)

    def decide(self, sound: Any, sample_rate: int | None = None, *, threshold: float | None = None) -> Any:
        """The labels of a sound as `predict` takes it, or of each of several: `["siren"]`, or `["unknown"]`.

        One of exclusive classes; with several labels any number, best first. `threshold`: the score to reach, the
        model's own thresholds where None.
        """
        sounds, alone = several(sound)
        least = self.own_threshold if threshold is None else threshold
        said = [
            decide(self.ranked(mean.value(), mean.windows), least, mean.windows, multi_label=self.multi_label)
            for mean in self._means(self.uncalibrated, sounds, sample_rate)
        ]
        return said[0] if alone else said

    @property
    def own_threshold(self) -> Thresholds | None:
        """The thresholds chosen when the model was made; None where there are none."""
        return Thresholds(self.thresholds, self.sound_thresholds) if self.thresholds else None

    def ranked(self, score_K: np.ndarray, windows: int) -> dict[str, float]:
        """The labels with their calibrated scores, best first, of the uncalibrated mean of `windows` windows."""
        calibrated_K = self.temperatures.apply(score_K, windows)
        return {self.labels[k]: float(calibrated_K[k]) for k in np.argsort(-score_K, kind="stable")}

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
        return split_windows(stored_S * np.float32(scale), self.clip_samples, self.facts["pad"])

    def _means(
        self, of: Callable[[np.ndarray], np.ndarray], sounds: Iterable[Any], sample_rate: int | None
    ) -> list[WindowMean]:
        """What `of` gives for windows (B, S), the mean over the windows of each sound."""
        means: defaultdict[int, WindowMean] = defaultdict(WindowMean)
        windows = (
            (row, window_S)
            for row, sound in enumerate(sounds)
            for window_S in self.windows(self._wave(sound, sample_rate))
        )
        while group := list(islice(windows, BATCH_WINDOWS)):
            given_BK = of(np.stack([window_S for _, window_S in group]))
            for (row, _), given_K in zip(group, given_BK, strict=True):
                means[row].add(given_K)
        return list(means.values())

    def _wave(self, sound: Any, sample_rate: int | None) -> np.ndarray:
        """A path or an array as a wave (S) at the model's rate."""
        if is_path(sound):
            return self.decoded(Path(sound))
        rate = self.sample_rate if sample_rate is None else rate_of(sample_rate)
        try:
            return resample(wave_of(sound, self.facts["mono"]), rate, self.sample_rate)
        except BadAudio as error:
            raise UserError(f"a sound of this array is {error.reason}") from None


def unusable(score_K: np.ndarray) -> str | None:
    """Why these scores cannot be used, in plain words; None for finite numbers."""
    return None if np.isfinite(score_K).all() else "the model's scores for it are not numbers (NaN or infinity)"
