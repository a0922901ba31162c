"""Temperature scaling of scores, separately for single windows and for means of several windows.

The mean of several windows is another kind of score than that of one window, since errors cancel in a mean. Therefore
each has its own temperature. `binary`: scores are independent probabilities of each class (sigmoid), not shares of one
(softmax).
"""

from dataclasses import dataclass

import numpy as np

from audiosurvey.training.sound_scores import ScoredWindows

_LEAST = 2.0**-150
"""Used for a score of 0: half of the smallest positive float32."""


@dataclass(frozen=True, slots=True)
class Temperatures:
    """Calibrate scores. The order of the classes does not change."""

    binary: bool = False
    window: float = 1.0
    """For the score of a single window."""
    sound: float = 1.0
    """For the mean of several windows."""

    def apply(self, score_K: np.ndarray, windows: int) -> np.ndarray:
        """The calibrated score (K) of a mean of `windows` windows: float64, unchanged at temperature 1."""
        return tempered(score_K[None], self.window if windows == 1 else self.sound, self.binary)[0]

    def apply_all(self, scored: ScoredWindows) -> np.ndarray:
        """The calibrated scores (N, K) of sounds."""
        of_means_NK = tempered(scored.sounds_NK, self.sound, self.binary)
        of_windows_NK = tempered(scored.sounds_NK, self.window, self.binary)
        return np.where(scored.counts_N[:, None] == 1, of_windows_NK, of_means_NK)


def tempered(scores_NK: np.ndarray, temperature: float, binary: bool) -> np.ndarray:
    """The scores (N, K) after dividing their logits by `temperature`.

    float64, so that scores that differ in float32 remain different; unchanged at temperature 1.
    """
    if temperature == 1:
        return np.asarray(scores_NK, dtype=np.float64)
    z_NK = logits_of(scores_NK, binary) / temperature
    if binary:
        return np.exp(-np.logaddexp(0, -z_NK))
    share_NK = np.exp(z_NK - z_NK.max(axis=1, keepdims=True))
    return share_NK / share_NK.sum(axis=1, keepdims=True)


def logits_of(scores_NK: np.ndarray, binary: bool) -> np.ndarray:
    """Logits of these scores; for softmax up to a constant for each row, which has no effect."""
    p_NK = np.clip(np.asarray(scores_NK, dtype=np.float64), _LEAST, 1.0)
    if not binary:
        return np.log(p_NK)
    # The float32 next to 1 is 2^-24 below it.
    return np.log(p_NK) - np.log(np.maximum(1 - p_NK, 2.0**-25))
