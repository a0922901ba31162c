"""Scores of each class on test clips, of a fold and of a run, and what they say about classes of uneven size."""

from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np

from audiosurvey.runs.results.stored import StoredPart
from audiosurvey.training.class_metrics import aurocs, average_precisions, decisions, mean_of

UNEVEN = 1.5
"""Classes count as uneven if the largest has more than this many times the test clips of the smallest."""


class ClassScores(StoredPart):
    """How well one class is recognised, one against the rest."""

    clips: int
    """Test clips of the class."""
    predicted: int
    """Test clips that it was predicted for: as the best class, or, of multi-label data, with a score of 0.5 or more."""
    right: int
    """Of these, the clips of the class."""
    recall: float | None
    """None for a class without clips."""
    precision: float | None
    """None for a class that was never predicted."""
    f1: float | None
    average_precision: float | None
    """Over several folds: the mean of those that have clips both of the class and of others. The same for AUROC."""
    auroc: float | None

    @classmethod
    def of(
        cls, clips: int, predicted: int, right: int, average_precision: float | None = None, auroc: float | None = None
    ) -> Self:
        return cls(
            clips=clips,
            predicted=predicted,
            right=right,
            recall=right / clips if clips else None,
            precision=right / predicted if predicted else None,
            f1=2 * right / (clips + predicted) if clips + predicted else None,
            average_precision=average_precision,
            auroc=auroc,
        )


ByClass = Mapping[str, ClassScores]


def measure_classes(
    scores_NK: np.ndarray, truth_NK: np.ndarray, classes: Sequence[str], *, multi_label: bool
) -> dict[str, ClassScores]:
    """Scores of the classes on the clips of one fold or data set. `truth_NK`: 1 for each label of a clip."""
    decided_NK, true_NK = decisions(scores_NK, multi_label), truth_NK > 0
    clips_K, predicted_K, right_K = (
        part_NK.sum(axis=0).tolist() for part_NK in (true_NK, decided_NK, true_NK & decided_NK)
    )
    precision_K, auroc_K = average_precisions(scores_NK, truth_NK), aurocs(scores_NK, truth_NK)
    return {
        name: ClassScores.of(clips_K[k], predicted_K[k], right_K[k], precision_K[k], auroc_K[k])
        for k, name in enumerate(classes)
    }


def pooled_classes(folds: Sequence[ByClass]) -> dict[str, ClassScores]:
    """Scores over several folds: recall, precision and F1 of the sums, means of what depends on the order of scores."""
    found: dict[str, ClassScores] = {}
    for name in folds[0] if folds else ():
        rows = [fold[name] for fold in folds]
        counts = (sum(row.clips for row in rows), sum(row.predicted for row in rows), sum(row.right for row in rows))
        found[name] = ClassScores.of(
            *counts, mean_of([row.average_precision for row in rows]), mean_of([row.auroc for row in rows])
        )
    return found


def classes_of_confusion(confusion: Sequence[Sequence[int]], classes: Sequence[str]) -> dict[str, ClassScores]:
    """Scores from a confusion matrix alone, for results of earlier versions. Rows are true classes."""
    counts_KK = np.asarray(confusion)
    clips_K, predicted_K, right_K = counts_KK.sum(axis=1), counts_KK.sum(axis=0), counts_KK.diagonal()
    return {
        name: ClassScores.of(int(clips_K[k]), int(predicted_K[k]), int(right_K[k])) for k, name in enumerate(classes)
    }


def worst_first(by_class: ByClass, *, multi_label: bool) -> list[tuple[str, ClassScores]]:
    """The classes by rising F1 score, with several labels a clip by rising average precision; unknown ones last."""

    def place(each: tuple[str, ClassScores]) -> tuple[float, float]:
        one = each[1]
        first = one.average_precision if multi_label else one.f1
        return (2.0 if first is None else first, 2.0 if one.recall is None else one.recall)

    return sorted(by_class.items(), key=place)


def never_recognised(by_class: ByClass) -> list[str]:
    """Classes with test clips, none of which was recognised."""
    return [name for name, one in by_class.items() if one.clips and not one.right]


def is_uneven(by_class: ByClass, ratio: float = UNEVEN) -> bool:
    """Whether some class has so many test clips that the accuracy says little about the others: more than `ratio` times
    those of another."""
    present = [one.clips for one in by_class.values() if one.clips]
    return len(present) > 1 and max(present) > ratio * min(present)


def largest_class(by_class: ByClass) -> tuple[str, float]:
    """The class with the most test clips, and its share of them: the accuracy of always predicting it."""
    name = max(by_class, key=lambda each: by_class[each].clips)
    return name, by_class[name].clips / max(1, sum(one.clips for one in by_class.values()))
