"""Temperatures: what logits are divided by, so that scores are as sure as they are right.

A score that is the mean of several windows is another kind of number than the score of one window, since errors cancel
in a mean: each kind has its own temperature. `binary`: a score is a probability for each class by itself (sigmoid)
rather than a share of one (softmax).
"""

from dataclasses import dataclass

import numpy as np

from audiosurvey.training.sound_scores import ScoredWindows

_LEAST = 2.0**-150
"""Stands for a score of 0: half of the smallest number above 0 that float32 has."""


@dataclass(frozen=True, slots=True)
class Temperatures:
    """How an uncalibrated score becomes a calibrated one. The order of the classes stays."""

    binary: bool = False
    window: float = 1.0
    """Of the score of a single window."""
    sound: float = 1.0
    """Of the mean of several windows."""

    def of(self, windows: int) -> float:
        """The temperature of a score that is the mean of so many windows."""
        return self.window if windows == 1 else self.sound

    def apply(self, score_K: np.ndarray, windows: int) -> np.ndarray:
        """The calibrated score (K) of a mean of `windows` windows: float64, unchanged at temperature 1."""
        return tempered(score_K[None], self.of(windows), self.binary)[0]

    def apply_all(self, scored: ScoredWindows) -> np.ndarray:
        """The calibrated scores (N, K) of sounds."""
        of_means_NK = tempered(scored.sounds_NK, self.sound, self.binary)
        of_windows_NK = tempered(scored.sounds_NK, self.window, self.binary)
        return np.where(scored.counts_N[:, None] == 1, of_windows_NK, of_means_NK)


def tempered(scores_NK: np.ndarray, temperature: float, binary: bool) -> np.ndarray:
    """The scores (N, K) that the same logits give when divided by `temperature`; their order does not change.

    float64, in which scores that differ in float32 stay apart; unchanged at temperature 1.
    """
    if temperature == 1:
        return np.asarray(scores_NK, dtype=np.float64)
    z_NK = logits_of(scores_NK, binary) / temperature
    if binary:
        return np.exp(-np.logaddexp(0, -z_NK))
    share_NK = np.exp(z_NK - z_NK.max(axis=1, keepdims=True))
    return share_NK / share_NK.sum(axis=1, keepdims=True)


def logits_of(scores_NK: np.ndarray, binary: bool) -> np.ndarray:
    """Logits that give these scores; of a softmax up to a constant a clip, which changes nothing."""
    p_NK = np.clip(np.asarray(scores_NK, dtype=np.float64), _LEAST, 1.0)
    if not binary:
        return np.log(p_NK)
    # The nearest to 1 that float32 can say is 2^-24 away from it.
    return np.log(p_NK) - np.log(np.maximum(1 - p_NK, 2.0**-25))
