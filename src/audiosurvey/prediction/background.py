"""What the scores of a recording are without its background, estimated from the recording itself.

A sound that is there most of the time has constant scores. The background of a window is the median of the logits of
each label over the last minutes, and the window is scored by how it differs from that: exclusive classes by their
probabilities divided by those of the background, so that background alone makes all classes equal. With independent
labels, those that the background makes likely are lowered until it makes them unlikely.
"""

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from audiosurvey.artefact.classifier import Classifier
from audiosurvey.artefact.temperature import logits_of
from audiosurvey.prediction.stream import WindowScores

SPAN_S = 300.0
"""The background is the median over so much of the recording, up to the window."""
AHEAD_S = 60.0
"""The first windows have the background of the first minute."""
LEAST_WINDOWS = 8
"""A sound of fewer windows has no background."""
UNLIKELY = 0.02
"""The score to which the background of an independent label is lowered."""


@dataclass(frozen=True, slots=True)
class BackgroundRemoval:
    """Removes the background from the scores of windows, each as soon as it can be; `binary`: scores are independent
    probabilities of each class (sigmoid), not shares of one (softmax)."""

    binary: bool = False

    @classmethod
    def of(cls, model: Classifier) -> "BackgroundRemoval":
        return cls(model.temperatures.binary or model.multi_label)

    def apply(self, windows: Iterable[WindowScores]) -> Iterator[WindowScores]:
        """The windows of one recording with their scores after removal."""
        past: deque[tuple[float, np.ndarray]] = deque()
        waiting: list[WindowScores] = []
        for window in windows:
            past.append((window.start_s, logits_of(window.score_K[None], self.binary)[0]))
            waiting.append(window)
            if window.end_s < AHEAD_S or len(past) < LEAST_WINDOWS:
                continue
            while past[0][0] < window.end_s - max(SPAN_S, AHEAD_S) and len(past) > LEAST_WINDOWS:
                past.popleft()
            yield from self._without(past, waiting)
            waiting = []
        if len(past) >= LEAST_WINDOWS:
            yield from self._without(past, waiting)
        else:
            yield from waiting

    def _without(self, past: "deque[tuple[float, np.ndarray]]", waiting: list[WindowScores]) -> Iterator[WindowScores]:
        """The last windows of `past`, without its background."""
        if not waiting:
            return
        background_K = np.median([logit_K for _, logit_K in past], axis=0)
        for window, (_, logit_K) in zip(waiting, list(past)[-len(waiting) :], strict=True):
            yield replace(window, score_K=self._scores(logit_K, background_K))

    def _scores(self, logit_K: np.ndarray, background_K: np.ndarray) -> np.ndarray:
        if self.binary:
            lowered_K = logit_K - np.maximum(0.0, background_K - math.log(UNLIKELY / (1 - UNLIKELY)))
            return np.exp(-np.logaddexp(0, -lowered_K)).astype(np.float32)
        ratio_K = logit_K - background_K
        share_K = np.exp(ratio_K - ratio_K.max())
        return (share_K / share_K.sum()).astype(np.float32)
