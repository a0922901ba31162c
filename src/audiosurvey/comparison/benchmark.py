"""Models on the same clips: the scores of all rows in one order, or an error if the rows are not comparable.

Axes: M models, S seeds, N clips, K classes, J folds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from audiosurvey.comparison.grouping import Loaded, by_data_set, titles
from audiosurvey.comparison.names import distinct_names
from audiosurvey.comparison.seed_scores import SeedScores, read_seed
from audiosurvey.comparison.sources import RowSource
from audiosurvey.comparison.stats import metrics
from audiosurvey.comparison.stats.bootstrap import recording_indices
from audiosurvey.errors import ArgumentError, UserError, some_of

Say = Callable[[str], None]
_SHOWN = 3


@dataclass(frozen=True)
class ComparedModel:
    """One row of the leaderboard."""

    name: str
    """Different for each model of a data set."""
    source: RowSource
    """With the seeds that are compared."""
    scores_SNK: np.ndarray
    ratio: float
    """n_test/n_train of its splits."""
    fold_scores_SJ: np.ndarray
    """Accuracy, or mAP for several labels."""
    correct_SN: np.ndarray | None
    """None for several labels."""

    @property
    def seeds(self) -> tuple[int | None, ...]:
        return tuple(seed.seed for seed in self.source.seeds)

    @property
    def fold_scores_J(self) -> np.ndarray:
        """Means over the seeds."""
        return self.fold_scores_SJ.mean(axis=0)

    @property
    def score(self) -> float:
        return float(self.fold_scores_SJ.mean())


@dataclass(frozen=True)
class Benchmark:
    """One data set with its models."""

    title: str
    folds: tuple[int, ...]
    fold_N: np.ndarray
    """Indices into `folds`."""
    recording_N: np.ndarray
    """Indices of source recordings."""
    recordings_known: bool
    """Otherwise each clip is its own recording."""
    classes: tuple[str, ...]
    truth_NK: np.ndarray
    multi_label: bool
    models: tuple[ComparedModel, ...]
    """In the order of their scores, best first."""
    notes: tuple[str, ...] = ()

    @property
    def metric(self) -> Literal["accuracy", "mAP"]:
        return "mAP" if self.multi_label else "accuracy"

    @property
    def clips(self) -> int:
        return len(self.fold_N)


def make_benchmarks(rows: Sequence[RowSource], folds: Sequence[int], leave_out: Say) -> list[Benchmark]:
    """A benchmark for each data set.

    `folds`: compare on these only; empty: all. Rows and seeds of a survey that lack folds are left out, with a line to
    `leave_out`, as are data sets on which no model has them all; in runs that were named one by one this is an error.
    Raises UserError if clips, folds, labels or classes differ, and if all data sets are left out.
    """
    groups = by_data_set([(row, [read_seed(seed) for seed in row.seeds]) for row in rows])
    names = distinct_names([[row for row, _ in group] for group in groups])
    found: list[Benchmark] = []
    lacking: dict[str, _NoModel] = {}
    for title, group, own in zip(titles(groups), groups, names, strict=True):
        try:
            found.append(_benchmark(title, group, own, folds, leave_out))
        except _NoModel as error:
            lacking[title] = error
    if not found:
        raise next(iter(lacking.values()))
    for title, error in lacking.items():
        leave_out(f"{title}: {error.reason}")
    return found


class _NoModel(ArgumentError):
    """No model of a data set has all folds that are to be compared."""

    def __init__(self, reason: str, line: str, folds: object) -> None:
        super().__init__(line, folds=folds)
        self.reason = reason


def _benchmark(
    title: str, group: Sequence[Loaded], names: Sequence[str], folds: Sequence[int], leave_out: Say
) -> Benchmark:
    there = sorted({fold for _, seeds in group for seed in seeds for fold in seed.folds})
    if folds and (missing := [fold for fold in folds if fold not in there]):
        absent = some_of([*map(str, missing)], _SHOWN)
        reason = f"no model has fold {absent}"
        raise _NoModel(reason, f"{{folds}}: {reason}; there are {_list(there)}", ...)
    wanted = sorted(set(folds)) if folds else there
    complete = [
        (name, row, _complete(row, seeds, wanted, leave_out)) for name, (row, seeds) in zip(names, group, strict=True)
    ]
    kept = [(name, row, [seed.restricted(wanted) for seed in seeds]) for name, row, seeds in complete if seeds]
    if not kept:
        reason = f"no model has all of the folds {_list(wanted)}"
        line = f"{title}: {reason}; compare fewer with {{folds}}"
        raise _NoModel(reason, line, _suggested(group, wanted) or ...)
    first = kept[0][2][0]
    ordered = first.taken(np.array(sorted(range(len(first.clips)), key=first.clips.__getitem__)))
    aligned = [(name, row, [_aligned(seed, ordered) for seed in seeds]) for name, row, seeds in kept]
    every = [seed for *_, seeds in aligned for seed in seeds]
    recording_N, known, notes = _recordings(every)
    multi_label = any(seed.multi_label for seed in every)
    fold_N = np.searchsorted(wanted, ordered.fold_N)
    models = [_model(name, row, seeds, ordered.truth_NK, fold_N, multi_label) for name, row, seeds in aligned]
    return Benchmark(
        title or "predictions",
        tuple(wanted),
        fold_N,
        recording_N,
        known,
        ordered.classes,
        ordered.truth_NK,
        multi_label,
        tuple(sorted(models, key=lambda model: (-model.score, model.name))),
        notes,
    )


def _suggested(group: Sequence[Loaded], wanted: Sequence[int]) -> str:
    """As an argument: the wanted folds that all seeds have or, if there are none, those of the seed with most."""
    there = [[fold for fold in wanted if fold in seed.folds] for _, seeds in group for seed in seeds]
    common = [fold for fold in wanted if all(fold in folds for folds in there)]
    return ",".join(map(str, common or max(there, key=len)))


def _complete(row: RowSource, seeds: Sequence[SeedScores], folds: list[int], leave_out: Say) -> list[SeedScores]:
    """The seeds that have all folds."""
    kept: list[SeedScores] = []
    for seed in seeds:
        missing = [fold for fold in folds if fold not in seed.folds]
        if not missing:
            kept.append(seed)
            continue
        line = f"{seed.path.as_posix()}: no fold {_list(missing)}"
        if row.survey is None:
            common = ",".join(map(str, [fold for fold in folds if fold not in missing]))
            fewer = ", or compare {folds}" if common else ""
            them = "them" if len(missing) > 1 else "it"
            raise ArgumentError(f"{line}, which others have; add {them}{fewer}", folds=common)
        leave_out(line)
    return kept


def _aligned(seed: SeedScores, first: SeedScores) -> SeedScores:
    """The seed with classes and clips in the order of `first`. Raises UserError if it is not of the same data."""
    here, there = f"{seed.path.as_posix()}: not comparable with {first.path.as_posix()}", first
    if set(seed.classes) != set(there.classes):
        raise UserError(f"{here}: other classes: {_difference(set(seed.classes), set(there.classes))}")
    if set(seed.clips) != set(there.clips):
        raise UserError(f"{here}: other clips: {_difference(set(seed.clips), set(there.clips))}")
    row_of = {clip: row for row, clip in enumerate(seed.clips)}
    found = seed.with_classes(there.classes).taken(np.array([row_of[clip] for clip in there.clips]))
    if len(other := np.flatnonzero(found.fold_N != there.fold_N)):
        row = other[0]
        which = f"{there.clips[row]} is in fold {found.fold_N[row]} and not in fold {there.fold_N[row]}"
        raise UserError(f"{here}: other folds: {which}{_more(len(other))}")
    if len(other := np.flatnonzero((found.truth_NK != there.truth_NK).any(axis=1))):
        row = other[0]
        labels = [
            "|".join(name for name, true in zip(there.classes, truth_NK[row], strict=True) if true) or "nothing"
            for truth_NK in (found.truth_NK, there.truth_NK)
        ]
        raise UserError(
            f"{here}: other labels: {there.clips[row]} is {labels[0]} and not {labels[1]}{_more(len(other))}"
        )
    return found


def _recordings(seeds: Sequence[SeedScores]) -> tuple[np.ndarray, bool, tuple[str, ...]]:
    """Recordings as indices, from the first file that tells them, whether any does, and notes."""
    named = [seed for seed in seeds if any(seed.recordings)]
    if not named:
        note = "no source recordings in these files: each clip counts as a recording of its own"
        return np.arange(len(seeds[0].clips)), False, (note,)
    first = _partition(named[0])
    differing = next((seed for seed in named[1:] if not np.array_equal(_partition(seed), first)), None)
    if differing is None:
        return first, True, ()
    there, here = named[0].path.as_posix(), differing.path.as_posix()
    return first, True, (f"the source recordings in {here} differ from those in {there}, which are used",)


def _partition(seed: SeedScores) -> np.ndarray:
    """The recording of each clip as an index; equal for equal partitions, whatever the names."""
    return recording_indices(seed.clips, seed.recordings)


def _model(
    name: str, row: RowSource, seeds: Sequence[SeedScores], truth_NK: np.ndarray, fold_N: np.ndarray, multi_label: bool
) -> ComparedModel:
    scores_SNK = np.stack([seed.scores_NK for seed in seeds])
    correct_SN = None if multi_label else metrics.share_correct(scores_SNK, truth_NK)
    if correct_SN is None:
        fold_scores_SJ = metrics.fold_maps(scores_SNK, truth_NK, fold_N)
        if np.isnan(fold_scores_SJ).any():
            line = "no mAP for a fold in which no class has both positive and negative clips"
            raise UserError(f"{row.path.as_posix()}: {line}")
    else:
        fold_scores_SJ = metrics.fold_means(correct_SN.astype(float), fold_N)
    there = {seed.path for seed in seeds}
    kept = replace(row, seeds=tuple(seed for seed in row.seeds if seed.path in there))
    ratio = float(np.mean([seed.ratio for seed in seeds]))
    return ComparedModel(name, kept, scores_SNK, ratio, fold_scores_SJ, correct_SN)


def _difference(here: set[str], there: set[str]) -> str:
    parts = [
        f"{len(names)} only {where} ({some_of(sorted(names), _SHOWN)})"
        for where, names in (("here", here - there), ("there", there - here))
        if names
    ]
    return ", ".join(parts)


def _list(folds: Sequence[int]) -> str:
    return ", ".join(map(str, folds))


def _more(count: int) -> str:
    return f", and {count - 1} more" if count > 1 else ""
