"""What `evaluate --output FOLDER` writes: predictions.csv, classes.csv, mixed_up.csv and confusion.png."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from audiosurvey.atomic import replacing
from audiosurvey.errors import not_written
from audiosurvey.runs.evaluation.evaluation_result import EvaluationResult
from audiosurvey.runs.results.class_scores import ByClass, worst_first
from audiosurvey.runs.results.mixed_up import MixedUp, missed_with_false
from audiosurvey.runs.results.results import RunResults
from audiosurvey.runs.results.run_predictions import RunPredictions
from audiosurvey.targets import check_target, check_target_folder

PREDICTIONS, CLASSES, MIXED_UP, CONFUSION = "predictions.csv", "classes.csv", "mixed_up.csv", "confusion.png"
FILES = (PREDICTIONS, CLASSES, MIXED_UP, CONFUSION)
_SCORES = ("clips", "predicted", "right", "recall", "precision", "f1", "average_precision", "auroc")
_PAIR = ("label", "predicted", "clips", "share", "examples")


def check_evaluation_folder(folder: Path, *, force: bool = False) -> None:
    """Raises UserError if the files must not be written into `folder`, which is made if it is missing."""
    check_target_folder("output", folder)
    if folder.is_dir():
        for name in FILES:
            check_target(None, folder / name, force=force)


def write_evaluation(folder: Path, results: RunResults | EvaluationResult) -> None:
    """Writes the files, each whole or not at all. `results` are those of an evaluation, with their predictions."""
    judged = results.judged if isinstance(results, EvaluationResult) else results.predictions
    assert results.predictions is not None, "from an evaluation"
    assert judged is not None, "from an evaluation"
    scores = results.by_class if isinstance(results, EvaluationResult) else results.class_scores
    try:
        folder.mkdir(parents=True, exist_ok=True)
        results.predictions.write(folder / PREDICTIONS)
        _write_csv(folder / CLASSES, ("class", *_SCORES), _class_rows(scores, judged.multi_label))
        _write_csv(folder / MIXED_UP, _PAIR, _pair_rows(results.mixed_up))
        _draw(folder / CONFUSION, judged, _title(results))
    except OSError as error:
        raise not_written(error, f"{folder}: cannot be written ({error.strerror}); give another folder") from None


def _class_rows(scores: ByClass, multi_label: bool) -> Iterable[Sequence[str]]:
    for name, one in worst_first(scores, multi_label=multi_label):
        yield [name, *(_cell(getattr(one, field)) for field in _SCORES)]


def _pair_rows(pairs: Iterable[MixedUp]) -> Iterable[Sequence[str]]:
    for one in pairs:
        yield [one.label, one.predicted, str(one.clips), _cell(one.share), "|".join(one.examples)]


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with replacing(path) as beside, beside.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _draw(path: Path, judged: RunPredictions, title: str) -> None:
    from audiosurvey.reporting.figures import confusion_figure, save_figure
    from audiosurvey.training.class_metrics import confusion

    if judged.multi_label:
        counts_KK, axes = missed_with_false(judged), ("predicted falsely", "missed")
    else:
        counts_KK, axes = confusion(judged.scores_NK, judged.truth_NK.argmax(axis=1)), ("predicted", "true")
    save_figure(confusion_figure(np.asarray(counts_KK).tolist(), judged.classes, title, axes), path)


def _title(results: RunResults | EvaluationResult) -> str:
    if isinstance(results, RunResults):
        name, value = results.dataset.title, results.mean
    else:
        name, value = f"{results.model} on {results.dataset.title}", results.metrics_unseen or results.metrics
    shown = [("accuracy", "accuracy"), ("balanced_accuracy", "balanced accuracy"), ("map", "mAP")]
    scores = [f"{title} {score:.3f}" for key, title in shown if (score := value.get(key)) is not None]
    return f"{name}: {', '.join(scores)}" if scores else name
