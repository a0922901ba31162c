"""Verdicts on pairs of models from their scores in each fold: better, worse, the same, or undecided.

Axes: M models, J folds, P pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np

from audiosurvey.comparison.stats.significance import FoldEstimate, corrected_t, equivalence_p, holm

Verdict = Literal["better", "worse", "the same", "undecided"]
ALPHA = 0.05
MARGIN = 0.01
"""Differences below one point are practically equal."""


@dataclass(frozen=True, slots=True)
class FoldTest:
    """The difference of two models, if trained again on other data: the first minus the second."""

    first: int
    second: int
    difference: FoldEstimate
    p_holm: float | None
    """Corrected for the number of comparisons; None for one fold."""
    p_equivalence: float | None
    """Of the difference being inside the margin."""

    @property
    def verdict(self) -> Verdict | None:
        """On the first of the two; None for one fold.

        A difference that is significant and inside the margin is practically none.
        """
        if self.difference.error is None:
            return None
        if self.p_equivalence is not None and self.p_equivalence < ALPHA:
            return "the same"
        if self.p_holm is None or self.p_holm >= ALPHA:
            return "undecided"
        return "better" if self.difference.mean > 0 else "worse"

    def swapped(self) -> "FoldTest":
        """The second model less the first."""
        found = self.difference
        low, high = (None if bound is None else -bound for bound in (found.high, found.low))
        difference = replace(found, mean=-found.mean, low=low, high=high)
        return replace(self, first=self.second, second=self.first, difference=difference)


def all_pairs(fold_scores_MJ: np.ndarray, ratios_M: Sequence[float], margin: float = MARGIN) -> list[FoldTest]:
    """Every pair, the first less the second in the order given; Holm over all of them.

    `fold_scores_MJ`: means over the seeds; `ratios_M`: n_test/n_train of each model.
    """
    pairs = list(combinations(range(len(fold_scores_MJ)), 2))
    return _tests(fold_scores_MJ, ratios_M, pairs, margin)


def against(
    fold_scores_MJ: np.ndarray, ratios_M: Sequence[float], baseline: int, margin: float = MARGIN
) -> list[FoldTest]:
    """Every other model less the baseline; Holm over these comparisons."""
    pairs = [(model, baseline) for model in range(len(fold_scores_MJ)) if model != baseline]
    return _tests(fold_scores_MJ, ratios_M, pairs, margin)


def rank_ranges(tests: Sequence[FoldTest], models: int) -> list[tuple[int, int]]:
    """The best and the worst rank of each model that the verdicts on all pairs allow, from 1."""
    better, worse = [0] * models, [0] * models
    for one in (*tests, *(test.swapped() for test in tests)):
        better[one.first] += one.verdict == "worse"
        worse[one.first] += one.verdict == "better"
    return [(1 + above, models - below) for above, below in zip(better, worse, strict=True)]


def _tests(
    fold_scores_MJ: np.ndarray, ratios_M: Sequence[float], pairs: Sequence[tuple[int, int]], margin: float
) -> list[FoldTest]:
    found: list[tuple[FoldEstimate, float | None]] = []
    for first, second in pairs:
        difference_J = fold_scores_MJ[first] - fold_scores_MJ[second]
        # Of two protocols, the one whose training sets are smaller.
        ratio = max(ratios_M[first], ratios_M[second])
        found.append((corrected_t(difference_J, ratio), equivalence_p(difference_J, ratio, margin)))
    p_values = [estimate.p for estimate, _ in found if estimate.p is not None]
    corrected: Sequence[float | None] = holm(p_values) if len(p_values) == len(found) else [None] * len(found)
    return [
        FoldTest(first, second, estimate, p_holm, p_equivalence)
        for (first, second), (estimate, p_equivalence), p_holm in zip(pairs, found, corrected, strict=True)
    ]
