"""Bootstrap over source recordings: the clips of one recording are drawn together.

It answers how much a score depends on which recordings were tested, for the models as they were trained.
Axes: B draws, G recordings, J folds, M models, N clips, S seeds, K classes.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from audiosurvey.randomness import stream

ACCURACY_DRAWS = 4000
MAP_DRAWS = 1000
_BLOCK = 250
"""Draws at a time, to bound memory."""


def recording_indices(clips: Sequence[str], recordings: Sequence[str | None]) -> np.ndarray:
    """The recording of each clip as an index (N). A clip without a known recording is its own.

    Recordings are numbered in the order of their first clip by name, so that draws depend neither on the order of
    the clips nor on the names of the recordings.
    """
    numbers: dict[tuple[bool, str], int] = {}
    keys = [(name is None, name or clip) for name, clip in zip(recordings, clips, strict=True)]
    for row in sorted(range(len(clips)), key=clips.__getitem__):
        numbers.setdefault(keys[row], len(numbers))
    return np.array([numbers[key] for key in keys])


def draws_stream() -> np.random.Generator:
    """The random numbers of all bootstraps of scores: a run has the same interval wherever it is shown."""
    return stream(0, "compare", "bootstrap")


def accuracy_interval(correct_N: np.ndarray, fold_N: np.ndarray, recording_N: np.ndarray) -> tuple[float, float]:
    """The 95 % interval of the accuracy of one model, mean over folds; arguments as for `accuracy_draws`."""
    draws_B1 = accuracy_draws(correct_N[None].astype(np.float64), fold_N, recording_N, draws_stream())
    return interval(draws_B1[:, 0])


def recording_counts(recordings: int, draws: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """How often each recording is drawn (block, G), in blocks of draws; G are drawn with replacement each time."""
    share_G = np.full(recordings, 1 / recordings)
    for begin in range(0, draws, _BLOCK):
        yield rng.multinomial(recordings, share_G, size=min(_BLOCK, draws - begin)).astype(np.float64)


def accuracy_draws(
    correct_MN: np.ndarray,
    fold_N: np.ndarray,
    recording_N: np.ndarray,
    rng: np.random.Generator,
    draws: int = ACCURACY_DRAWS,
) -> np.ndarray:
    """Bootstrapped means over folds (B, M) of the accuracy in each fold.

    `correct_MN`: share of seeds whose model is right; `fold_N`, `recording_N`: indices from 0. All models are scored
    on the same draws, so that differences of columns are paired.
    """
    folds, recordings = int(fold_N.max()) + 1, int(recording_N.max()) + 1
    cell_N = recording_N * folds + fold_N
    shape = (recordings, folds)
    clips_GJ = np.bincount(cell_N, minlength=recordings * folds).reshape(shape)
    hits_MGJ = [np.bincount(cell_N, row_N, minlength=recordings * folds).reshape(shape) for row_N in correct_MN]
    found: list[np.ndarray] = []
    for counts_BG in recording_counts(recordings, draws, rng):
        total_BJ = counts_BG @ clips_GJ
        # A fold of few recordings may be drawn without any.
        total_BJ[total_BJ == 0] = np.nan
        found.append(np.stack([np.nanmean((counts_BG @ hits_GJ) / total_BJ, axis=1) for hits_GJ in hits_MGJ], axis=1))
    return np.concatenate(found)


def map_draws(
    scores_SNK: np.ndarray,
    truth_NK: np.ndarray,
    fold_N: np.ndarray,
    recording_N: np.ndarray,
    rng: np.random.Generator,
    draws: int = MAP_DRAWS,
) -> np.ndarray:
    """Bootstrapped means over folds and seeds (B) of the mean average precision in each fold."""
    folds, recordings = int(fold_N.max()) + 1, int(recording_N.max()) + 1
    sides = [np.flatnonzero(fold_N == fold) for fold in range(folds)]
    found: list[np.ndarray] = []
    for counts_BG in recording_counts(recordings, draws, rng):
        by_fold = [
            np.mean(
                [
                    weighted_map(scores_NK[rows], truth_NK[rows], counts_BG[:, recording_N[rows]])
                    for scores_NK in scores_SNK
                ],
                axis=0,
            )
            for rows in sides
        ]
        found.append(np.nanmean(by_fold, axis=0))
    return np.concatenate(found)


def weighted_map(scores_NK: np.ndarray, truth_NK: np.ndarray, weights_BN: np.ndarray) -> np.ndarray:
    """Mean average precision (B) with clips weighted; classes that are in no clip, or in all, are left out."""
    classes = [
        weighted_average_precision(scores_NK[:, k], truth_NK[:, k], weights_BN)
        for k in range(truth_NK.shape[1])
        if 0 < truth_NK[:, k].sum() < len(truth_NK)
    ]
    if not classes:
        return np.full(len(weights_BN), np.nan)
    stacked_KB = np.stack(classes)
    known_KB = np.isfinite(stacked_KB)
    total_B = np.where(known_KB, stacked_KB, 0).sum(axis=0)
    return total_B / np.where(known_KB.any(axis=0), known_KB.sum(axis=0), np.nan)


def weighted_average_precision(score_N: np.ndarray, truth_N: np.ndarray, weights_BN: np.ndarray) -> np.ndarray:
    """Average precision (B) of one class under each set of weights; NaN where no true clip has a weight.

    Equal to scikit-learn's `average_precision_score` with `sample_weight`: clips of equal score share a threshold.
    """
    order_N = np.argsort(-score_N, kind="stable")
    score_N, truth_N, weights_BN = score_N[order_N], truth_N[order_N], weights_BN[:, order_N]
    last_N = np.searchsorted(-score_N, -score_N, side="right") - 1
    true_N = np.flatnonzero(truth_N)
    hits_BN = np.where(truth_N, weights_BN, 0)
    at_N = last_N[true_N]
    seen_BN, found_BN = np.cumsum(weights_BN, axis=1)[:, at_N], np.cumsum(hits_BN, axis=1)[:, at_N]
    precision_BN = found_BN / np.where(seen_BN == 0, 1, seen_BN)
    total_B = hits_BN.sum(axis=1)
    return (precision_BN * weights_BN[:, true_N]).sum(axis=1) / np.where(total_B == 0, np.nan, total_B)


def interval(draws_B: np.ndarray, confidence: float = 0.95) -> tuple[float, float]:
    """Percentile interval."""
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(draws_B, [tail, 1 - tail])
    return float(low), float(high)


def bootstrap_p(difference_B: np.ndarray) -> float:
    """Two-sided p of a difference being 0: twice the smaller share of draws on one side of it."""
    known_B = difference_B[np.isfinite(difference_B)]
    draws = len(known_B)
    if draws == 0:
        return 1.0
    below, above = (known_B <= 0).sum() + 1, (known_B >= 0).sum() + 1
    return float(min(1.0, 2 * min(below, above) / (draws + 1)))
