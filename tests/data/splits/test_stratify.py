"""Iterative stratification: the folds of the plain formula, in memory that does not grow with units times classes."""

import tracemalloc
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from audiosurvey.data.splits.stratify import by_rarest_label
from audiosurvey.data.table import Clip


def by_formula(units: list[list[Clip]], num_folds: int, num_classes: int) -> list[int]:
    """Sechidis et al. (2011) with a table of all units and labels."""
    counts_UK = np.zeros((len(units), num_classes + 1), dtype=np.int64)
    for row, unit in enumerate(units):
        for clip in unit:
            counts_UK[row, [*clip.labels, num_classes]] += 1
    lacking_NK = np.tile(counts_UK.sum(axis=0), (num_folds, 1))
    folds = np.full(len(units), -1)
    while (undecided := np.flatnonzero(folds < 0)).size:
        left_K = (counts_UK[undecided] > 0).sum(axis=0)
        label = min((k for k in range(num_classes + 1) if left_K[k]), key=lambda k: (left_K[k], k))
        carriers = [row for row in undecided if counts_UK[row, label]]
        for row in sorted(carriers, key=lambda row: -counts_UK[row, label]):
            fold = max(range(num_folds), key=lambda n: (lacking_NK[n, label], lacking_NK[n, -1], -n))
            folds[row] = fold
            lacking_NK[fold] -= num_folds * counts_UK[row]
    return folds.tolist()


@given(st.data(), st.integers(2, 5))
def test_the_folds_are_those_of_the_formula(data: st.DataObject, num_folds: int) -> None:
    labels = st.sets(st.integers(0, 5), max_size=3).map(lambda some: tuple(sorted(some)))
    drawn = data.draw(st.lists(st.lists(labels, min_size=1, max_size=3), min_size=1, max_size=30))
    units = [[Clip(f"{n}.{k}", Path(), some) for k, some in enumerate(unit)] for n, unit in enumerate(drawn)]
    assert by_rarest_label(units, num_folds, 6) == by_formula(units, num_folds, 6)


def test_memory_does_not_grow_with_units_times_classes() -> None:
    classes, count = 1000, 2000
    units = [[Clip(f"{n}", Path(), (n % classes, (7 * n + 1) % classes))] for n in range(count)]
    tracemalloc.start()
    folds = by_rarest_label(units, 5, classes)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * classes * count / 4
    assert set(folds) == set(range(5))
