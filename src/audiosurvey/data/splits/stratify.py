"""Stratified assignment of clips to folds. A unit is what has to stay together: the clips of one recording."""

import warnings
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from audiosurvey.data.table import Clip


def by_scikit_learn(clips: list[Clip], unit_of: Mapping[str, Hashable], num_folds: int) -> list[int] | None:
    """Fold, from 0, of every clip; None where scikit-learn refuses (every class smaller than the folds)."""
    # Imported here: it takes a second, and data sets with their own folds never need it.
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    number_of = {unit: number for number, unit in enumerate(dict.fromkeys(unit_of[clip.id] for clip in clips))}
    groups = np.array([number_of[unit_of[clip.id]] for clip in clips])
    labels = np.array([clip.labels[0] for clip in clips])
    if np.bincount(labels).max() < num_folds:
        return None
    splitter = (StratifiedKFold if len(number_of) == len(clips) else StratifiedGroupKFold)(num_folds)
    folds = np.full(len(clips), -1)
    with warnings.catch_warnings():
        # It warns of small classes, which the notes mention too.
        warnings.simplefilter("ignore", UserWarning)
        for fold, (_, test) in enumerate(splitter.split(np.zeros((len(clips), 1)), labels, groups)):
            folds[test] = fold
    return folds.tolist() if len(np.unique(folds)) == num_folds else None


def by_rarest_label(units: list[list[Clip]], num_folds: int, num_classes: int) -> list[int]:
    """Fold, from 0, of every unit, for several labels per clip.

    Iterative stratification: the label with the fewest unassigned units goes first, each of its units to the fold that
    still lacks most of that label; among equals, to the one that lacks most clips. Source: K. Sechidis, G. Tsoumakas
    and I. Vlahavas, "On the Stratification of Multi-Label Data", ECML PKDD 2011.
    """
    # Clips of each label in each unit. The label after the last stands for all clips, also those without a label.
    counts = [Counter(label for clip in unit for label in {*clip.labels, num_classes}) for unit in units]
    carriers: list[list[int]] = [[] for _ in range(num_classes + 1)]
    for row, count in enumerate(counts):
        for label in count:
            carriers[label].append(row)
    left = {label: len(rows) for label, rows in enumerate(carriers)}
    total = [sum(counts[row][label] for row in rows) for label, rows in enumerate(carriers)]
    # What a fold still lacks, times num_folds, so that everything stays an integer.
    lacking = [list(total) for _ in range(num_folds)]
    folds = [-1] * len(units)
    while labels := [label for label, number in left.items() if number]:
        label = min(labels, key=lambda k: (left[k], k))
        undecided = [row for row in carriers[label] if folds[row] < 0]
        for row in sorted(undecided, key=lambda row: -counts[row][label]):
            fold = max(range(num_folds), key=lambda n: (lacking[n][label], lacking[n][-1], -n))
            folds[row] = fold
            for other, number in counts[row].items():
                lacking[fold][other] -= num_folds * number
                left[other] -= 1
    return folds


def lonely_classes(clips: Sequence[Clip], folds: Sequence[int]) -> dict[int, int]:
    """Classes that lie in a single fold, and which."""
    found: dict[int, set[int]] = defaultdict(set)
    for clip, fold in zip(clips, folds, strict=True):
        for label in clip.labels:
            found[label].add(fold)
    return {label: min(where) for label, where in sorted(found.items()) if len(where) == 1}
