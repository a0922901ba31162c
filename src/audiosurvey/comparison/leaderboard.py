"""From aligned scores to the leaderboard of a data set: intervals, verdicts, ranks, costs.

Axes: M models, B draws, G recordings, N clips, J folds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from audiosurvey.analysis.robustness_results import robustness_of
from audiosurvey.comparison.benchmark import Benchmark, ComparedModel
from audiosurvey.comparison.costs import costs_of, pareto_front
from audiosurvey.comparison.effects import main_effects
from audiosurvey.comparison.grouping import data_hash
from audiosurvey.comparison.result import DatasetResult, Interval, ModelResult, More, PairResult, Protocol
from audiosurvey.comparison.stats import metrics
from audiosurvey.comparison.stats.bootstrap import accuracy_draws, bootstrap_p, draws_stream, interval, map_draws
from audiosurvey.comparison.stats.planning import folds_needed, seeds_needed, spread
from audiosurvey.comparison.stats.significance import corrected_t, mcnemar_p, sign_flip_p
from audiosurvey.comparison.stats.verdicts import ALPHA, MARGIN, FoldTest, against, all_pairs, rank_ranges
from audiosurvey.comparison.timing import Times
from audiosurvey.errors import UserError, some_of
from audiosurvey.randomness import stream
from audiosurvey.runs.results.run_folder import RunFolder
from audiosurvey.runs.validity import caveats

_SHOWN = 5
"""Models named in a note."""


@dataclass(frozen=True)
class CompareOptions:
    """What to compare, and how."""

    baseline: str | None = None
    """Name of a model; None: the best one."""
    pairs: bool = False
    """All pairs too, not only against the baseline."""
    margin: float = MARGIN
    """Models within it count as the same; a fraction: 0.01 is one point."""
    folds: tuple[int, ...] = ()
    """Compare on these only; empty: all."""
    cost: str = "macs"
    """Of the Pareto front; a key of `COSTS`."""


def make_leaderboard(benchmark: Benchmark, options: CompareOptions, times: Times) -> DatasetResult:
    """Compares the models of a data set.

    If the named baseline is not among them, the best model is the baseline.
    """
    models = benchmark.models
    names = [model.name for model in models]
    baseline = names.index(options.baseline) if options.baseline in names else 0
    chosen = options.baseline not in names
    fold_scores_MJ = np.stack([model.fold_scores_J for model in models])
    ratios = [model.ratio for model in models]
    pairs = all_pairs(fold_scores_MJ, ratios, options.margin)
    tests = against(fold_scores_MJ, ratios, baseline, options.margin)
    draws_BM = _draws(benchmark)
    describe = _pair_describer(benchmark, draws_BM, options.margin)
    all_costs = [costs_of(model, benchmark.folds, times.of.get(model.name)) for model in models]
    front = pareto_front([model.score for model in models], [getattr(costs, options.cost) for costs in all_costs])
    ranks = rank_ranges(pairs, len(models))
    rows = [
        _model_result(benchmark, model, draws_B, rank, costs, pareto)
        for model, draws_B, rank, costs, pareto in zip(models, draws_BM.T, ranks, all_costs, front, strict=True)
    ]
    return DatasetResult(
        title=benchmark.title,
        clips=benchmark.clips,
        recordings=int(benchmark.recording_N.max()) + 1,
        recordings_known=benchmark.recordings_known,
        classes=len(benchmark.classes),
        folds=benchmark.folds,
        metric=benchmark.metric,
        margin=options.margin,
        cost=options.cost,
        baseline=names[baseline],
        chosen_by_score=chosen,
        models=tuple(_with_versions(rows)),
        against_baseline=tuple(describe(tests, len(tests))),
        pairs=tuple(describe(pairs, len(pairs))) if options.pairs else (),
        effects=tuple(main_effects(models)),
        notes=(*benchmark.notes, *_notes(benchmark, rows), *([times.note] if times.note else [])),
    )


def _draws(benchmark: Benchmark) -> np.ndarray:
    """Bootstrapped scores (B, M). All models are scored on the same draws of recordings."""
    if not benchmark.multi_label:
        correct_MN = np.stack([_correct(model) for model in benchmark.models])
        return accuracy_draws(correct_MN, benchmark.fold_N, benchmark.recording_N, draws_stream())
    return np.stack(
        [
            map_draws(
                model.scores_SNK,
                benchmark.truth_NK,
                benchmark.fold_N,
                benchmark.recording_N,
                draws_stream(),
            )
            for model in benchmark.models
        ],
        axis=1,
    )


def _correct(model: ComparedModel) -> np.ndarray:
    """Share of the seeds that are right on each clip (N)."""
    assert model.correct_SN is not None
    return model.correct_SN.mean(axis=0)


def _pair_describer(
    benchmark: Benchmark, draws_BM: np.ndarray, margin: float
) -> Callable[[Sequence[FoldTest], int], list[PairResult]]:
    def describe(tests: Sequence[FoldTest], comparisons: int) -> list[PairResult]:
        """`comparisons`: those that the p-values are corrected for."""
        as_trained = _as_trained(benchmark, draws_BM, tests)
        return [
            _pair_result(benchmark, draws_BM, test, p, margin, comparisons)
            for test, p in zip(tests, as_trained, strict=True)
        ]

    return describe


def _as_trained(benchmark: Benchmark, draws_BM: np.ndarray, tests: Sequence[FoldTest]) -> list[float]:
    if not tests:
        return []
    if benchmark.multi_label:
        return [bootstrap_p(draws_BM[:, test.first] - draws_BM[:, test.second]) for test in tests]
    # The sum over all clips is the difference of the means over folds.
    share_N = 1 / (np.bincount(benchmark.fold_N)[benchmark.fold_N] * len(benchmark.folds))
    sums_GM = np.stack(
        [np.bincount(benchmark.recording_N, _correct(model) * share_N) for model in benchmark.models], axis=1
    )
    first, second = [test.first for test in tests], [test.second for test in tests]
    return sign_flip_p(sums_GM[:, first] - sums_GM[:, second], stream(0, "compare", "sign flips")).tolist()


def _pair_result(
    benchmark: Benchmark, draws_BM: np.ndarray, test: FoldTest, p: float, margin: float, comparisons: int
) -> PairResult:
    first, second = benchmark.models[test.first], benchmark.models[test.second]
    single = len(first.seeds) == len(second.seeds) == 1 and not benchmark.multi_label
    return PairResult(
        first.name,
        second.name,
        test.verdict,
        test.difference,
        test.p_holm,
        test.p_equivalence,
        p,
        Interval(*interval(draws_BM[:, test.first] - draws_BM[:, test.second])),
        mcnemar_p(_correct(first) > 0, _correct(second) > 0) if single else None,
        _more(first, second, margin, ALPHA / comparisons) if test.verdict == "undecided" else None,
    )


def _more(first: ComparedModel, second: ComparedModel, margin: float, alpha: float) -> More:
    found = spread(first.fold_scores_SJ, second.fold_scores_SJ, max(first.ratio, second.ratio))
    seeds = min(len(first.seeds), len(second.seeds))
    folds = folds_needed(found, seeds, alpha, margin)
    if found.seed is None:
        return More(None, folds, seeds_unknown=True)
    return More(seeds_needed(found, alpha, margin), folds)


def _model_result(benchmark: Benchmark, model: ComparedModel, draws_B, rank, costs, pareto: bool) -> ModelResult:
    truth_NK, multi_label = benchmark.truth_NK, benchmark.multi_label
    of_seeds = model.fold_scores_SJ.mean(axis=1)
    return ModelResult(
        name=model.name,
        score=corrected_t(model.fold_scores_J, model.ratio),
        bootstrap=Interval(*interval(draws_B)),
        rank=rank,
        fold_scores=tuple(tuple(row) for row in model.fold_scores_SJ.tolist()),
        seeds=model.seeds,
        seed_std=float(of_seeds.std(ddof=1)) if len(of_seeds) > 1 else None,
        balanced_accuracy=None if model.correct_SN is None else metrics.balanced_accuracy(model.correct_SN, truth_NK),
        log_loss=metrics.log_loss(model.scores_SNK, truth_NK, multi_label),
        calibration_error=metrics.calibration_error(model.scores_SNK, truth_NK, multi_label),
        corrupted_score=_corrupted_score(benchmark, model),
        protocol=_protocol(model),
        costs=costs,
        pareto=pareto,
        sweep=model.source.sweep,
        config=model.source.config,
    )


def _corrupted_score(benchmark: Benchmark, model: ComparedModel) -> float | None:
    """Mean over the seeds of what `robustness` has measured for these models, on the folds that are compared."""
    scores: list[float] = []
    for seed in model.source.seeds:
        if seed.results is None:
            return None
        try:
            found = robustness_of(RunFolder(seed.path), seed.results)
        except UserError:  # measured with other models or data
            return None
        if found is None or found.mean_score is None or {fold.fold for fold in found.folds} != set(benchmark.folds):
            return None
        scores.append(found.mean_score)
    return float(np.mean(scores)) if scores else None


def _protocol(model: ComparedModel) -> Protocol:
    results = [seed.results for seed in model.source.seeds if seed.results is not None]
    if not results:
        return Protocol()
    first = results[0]
    return Protocol(
        official=all(one.official for one in results),
        selection=first.selection,
        tuned_on=tuple(sorted({fold for one in results for fold in one.tuned_on})),
        pretrained_on=first.pretraining.dataset if first.pretraining else first.init,
        caveats=tuple(dict.fromkeys(line for one in results for line in caveats(one))),
        versions=tuple(sorted({name for one in results for name in one.versions or [one.version] if name})),
    )


def _with_versions(rows: Sequence[ModelResult]) -> list[ModelResult]:
    """If the models were trained by different versions of audiosurvey, each is marked with its own."""
    if len({version for row in rows for version in row.protocol.versions}) < 2:
        return list(rows)
    marked = []
    for row in rows:
        protocol = row.protocol
        # Several versions within a run are among its own caveats.
        mark = [f"trained by audiosurvey {protocol.versions[0]}"] if len(protocol.versions) == 1 else []
        marked.append(replace(row, protocol=replace(protocol, caveats=(*protocol.caveats, *mark))))
    return marked


def _notes(benchmark: Benchmark, rows: Sequence[ModelResult]) -> list[str]:
    found: list[str] = []
    if len(benchmark.folds) == 1:
        found.append("one fold: no interval over folds and no verdict; the bootstrap over recordings remains")
    if len(benchmark.folds) == 2:
        found.append("two folds give very wide intervals over folds, with one degree of freedom")
    if len({version for row in rows for version in row.protocol.versions}) > 1:
        found.append("the runs were made by several versions of audiosurvey")
    if len({row.protocol.selection for row in rows if row.protocol.selection}) > 1:
        found.append("the epoch was not chosen in the same way in all runs; see the column selection")
    known = [(model.name, of_data) for model in benchmark.models if (of_data := data_hash(model.source))]
    if others := [name for name, of_data in known if of_data != known[0][1]]:
        found.append(
            f"clips, folds and labels are the same, but the sound files or source recordings of "
            f"{some_of(others, _SHOWN)} differ from those of {known[0][0]}"
        )
    return found
