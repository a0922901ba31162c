"""Which classes are mixed up: pairs of a class and the one predicted instead, with clips to listen to."""

from collections.abc import Iterator

import numpy as np

from audiosurvey.runs.results.run_predictions import RunPredictions
from audiosurvey.runs.results.stored import StoredPart
from audiosurvey.training.class_metrics import decisions

EXAMPLES = 3
_MOST = 50


class MixedUp(StoredPart):
    """Clips with one label, which was not predicted, for which another was predicted that they do not have."""

    label: str
    predicted: str
    clips: int
    share: float
    """Of the clips with the label."""
    examples: list[str]
    """Ids of up to three of these clips, those with the highest score of the wrong label first."""


def mixed_up(found: RunPredictions) -> list[MixedUp]:
    """At most 50 pairs, those of the most clips first; of pairs with as many, that with the larger share first.

    With several labels a clip, every missed label makes a pair with every false one.
    """
    counts_KK = missed_with_false(found)
    clips_K = np.maximum(found.truth_NK.sum(axis=0), 1)
    pairs = [(int(i), int(j)) for i, j in np.argwhere(counts_KK)]
    pairs.sort(key=lambda pair: (-counts_KK[pair], -counts_KK[pair] / clips_K[pair[0]], pair))
    return [
        MixedUp(
            label=found.classes[i],
            predicted=found.classes[j],
            clips=int(counts_KK[i, j]),
            share=float(counts_KK[i, j] / clips_K[i]),
            examples=list(_examples(found, i, j)),
        )
        for i, j in pairs[:_MOST]
    ]


def missed_with_false(found: RunPredictions) -> np.ndarray:
    """Counts of clips (K, K): row a label that was missed, column one that was predicted and is false.

    With one label a clip, this is the confusion matrix without its diagonal.
    """
    decided_NK = decisions(found.scores_NK, found.multi_label)
    missed_NK, false_NK = found.truth_NK & ~decided_NK, decided_NK & ~found.truth_NK
    return missed_NK.astype(np.int64).T @ false_NK.astype(np.int64)


def _examples(found: RunPredictions, label: int, predicted: int) -> Iterator[str]:
    decided_NK = decisions(found.scores_NK, found.multi_label)
    missed_N = found.truth_NK[:, label] & ~decided_NK[:, label]
    rows = np.flatnonzero(missed_N & decided_NK[:, predicted] & ~found.truth_NK[:, predicted])
    for row in sorted(rows, key=lambda row: (-found.scores_NK[row, predicted], found.clips[row]))[:EXAMPLES]:
        yield found.clips[row]
