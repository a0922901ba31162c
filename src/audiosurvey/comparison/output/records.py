"""A comparison as plain records, one for each model or one for each model, seed and fold, and as CSV and Markdown."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

from audiosurvey.comparison.output.texts import ModelText, model_texts
from audiosurvey.comparison.output.wording import baseline_line
from audiosurvey.comparison.result import Comparison, DatasetResult, ModelResult

Record = dict[str, Any]


def records(comparison: Comparison) -> list[Record]:
    """One record per model and data set. Scores are fractions, not percentages; None stands for unknown values."""
    return [_record(dataset, model) for dataset in comparison.datasets for model in dataset.models]


def long_records(comparison: Comparison) -> list[Record]:
    """One record for each data set, model, seed and fold, with the score."""
    return [
        {
            "dataset": dataset.title,
            "model": model.name,
            "seed": seed,
            "fold": fold,
            dataset.metric: value,
            **{f"sweep.{key}": setting for key, setting in model.sweep.items()},
        }
        for dataset in comparison.datasets
        for model in dataset.models
        for seed, row in zip(model.seeds, model.fold_scores, strict=True)
        for fold, value in zip(dataset.folds, row, strict=True)
    ]


def csv_text(rows: Sequence[Record]) -> str:
    """The records as CSV; columns are in the order in which they first occur, and None is an empty cell."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row.get(key)) for key in columns] for row in rows)
    return file.getvalue()


def markdown(comparison: Comparison) -> str:
    """A table for each data set, for a README."""
    return "\n".join(line for dataset in comparison.datasets for line in _markdown_table(dataset))


def _markdown_table(dataset: DatasetResult) -> Iterable[str]:
    yield f"**{_escaped(dataset.title)}**: {dataset.metric} in %, {_extent(dataset)}, {dataset.clips} clips"
    yield ""
    against = _escaped(dataset.baseline)
    yield f"| rank | model | {dataset.metric} | 95 % interval | against {against} | parameters | MACs |"
    yield "|---|---|---|---|---|---|---|"
    for model in model_texts(dataset):
        cells = [
            model.rank,
            _escaped(model.name) + "".join(f" ({_escaped(mark)})" for mark in model.marks),
            model.score,
            model.interval,
            _against(model),
            model.parameters,
            model.macs,
        ]
        yield f"| {' | '.join(cells)} |"
    yield ""
    line = _escaped(baseline_line(dataset))
    how = ". Intervals and p: corrected t over the folds." if len(dataset.folds) > 1 else "."
    yield f"{line[:1].upper()}{line[1:]}{how}"
    yield ""


def _extent(dataset: DatasetResult) -> str:
    """`5 folds, 1 to 3 seeds`."""
    seeds, folds = sorted({len(model.seeds) for model in dataset.models}), len(dataset.folds)
    counts = str(seeds[0]) if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    return f"{folds} fold{'s' if folds > 1 else ''}, {counts} seed{'s' if seeds[-1] > 1 else ''}"


def _against(model: ModelText) -> str:
    if model.difference == "-":
        return model.verdict
    return model.difference if model.verdict == "-" else f"{model.verdict} ({model.difference})"


def _record(dataset: DatasetResult, model: ModelResult) -> Record:
    pair, protocol, costs = dataset.verdict_on(model.name), model.protocol, model.costs
    return {
        "dataset": dataset.title,
        "model": model.name,
        "rank_best": model.rank[0],
        "rank_worst": model.rank[1],
        "metric": dataset.metric,
        "score": model.score.mean,
        "score_low": model.score.low,
        "score_high": model.score.high,
        "bootstrap_low": model.bootstrap.low,
        "bootstrap_high": model.bootstrap.high,
        "balanced_accuracy": model.balanced_accuracy,
        "log_loss": model.log_loss,
        "calibration_error": model.calibration_error,
        "corrupted_score": model.corrupted_score,
        "baseline": dataset.baseline,
        "baseline_chosen_by_score": dataset.chosen_by_score,
        "verdict": "baseline" if pair is None else pair.verdict,
        "difference": pair and pair.retrained.mean,
        "difference_low": pair and pair.retrained.low,
        "difference_high": pair and pair.retrained.high,
        "p": pair and pair.retrained.p,
        "p_holm": pair and pair.p_holm,
        "p_equivalence": pair and pair.p_equivalence,
        "p_as_trained": pair and pair.p_as_trained,
        "as_trained_low": pair and pair.as_trained.low,
        "as_trained_high": pair and pair.as_trained.high,
        "p_mcnemar": pair and pair.p_mcnemar,
        "seeds_that_decide": pair and pair.more and pair.more.seeds,
        "folds_that_decide": pair and pair.more and pair.more.folds,
        "folds": list(dataset.folds),
        "seeds": list(model.seeds),
        "seed_std": model.seed_std,
        "official": protocol.official,
        "selection": protocol.selection,
        "tuned_on": list(protocol.tuned_on),
        "pretrained_on": protocol.pretrained_on,
        "caveats": list(protocol.caveats),
        "parameters": costs.parameters,
        "macs": costs.macs,
        "train_seconds": costs.train_seconds,
        "machine": costs.machine,
        "energy_wh": costs.energy_wh,
        "energy_estimated": costs.energy_estimated if costs.energy_wh is not None else None,
        "peak_memory_mb": costs.peak_memory_mb,
        "ms_per_clip": costs.ms_per_clip,
        "ms_machine": costs.ms_machine,
        "ms_measured": costs.ms_measured,
        "model_mb": costs.model_mb,
        "pareto": model.pareto,
        "pareto_cost": dataset.cost,
        "config": model.config,
        **{f"sweep.{key}": value for key, value in model.sweep.items()},
    }


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, list):
        return "; ".join("" if one is None else str(one) for one in value)
    return json.dumps(value) if isinstance(value, bool | dict) else value


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("*", "\\*").replace("<", "&lt;")
