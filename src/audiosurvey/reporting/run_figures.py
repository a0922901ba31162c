"""The two figures of a run, drawn from its results: the confusion matrix and the learning curves."""

from collections.abc import Sequence

from audiosurvey.pages.plain_figure import PlainFigure
from audiosurvey.reporting.figures import confusion_figure, curves_figure
from audiosurvey.runs.results.class_scores import is_uneven, largest_class
from audiosurvey.runs.results.fold_log import read_history
from audiosurvey.runs.results.results import RunResults
from audiosurvey.runs.results.run_folder import RunFolder


def confusion_of(results: RunResults) -> PlainFigure:
    """The confusion matrix, counted over all folds that have ended. Needs results with one label a clip."""
    assert results.confusion is not None, "one label a clip"
    title = f"{_subject(results)}: accuracy {results.mean['accuracy']:.3f}{_imbalance(results)}{_marks(results)}"
    return confusion_figure(results.confusion, results.classes, title)


def curves_of(run: RunFolder, results: RunResults) -> PlainFigure:
    """Loss and score over the epochs of each fold that has ended."""
    histories = {fold: read_history(run.fold(fold)) for fold in results.done}
    return curves_figure(histories, _subject(results) + _marks(results))


def _subject(results: RunResults) -> str:
    data = results.dataset
    return f"{data.given_title or data.subset or data.name}, {_folds_in_words(results.done)}"


def _imbalance(results: RunResults) -> str:
    """Of uneven classes: what always predicting the largest one would score, and the balanced accuracy."""
    by_class = results.class_scores
    if not is_uneven(by_class):
        return ""
    name, share = largest_class(by_class)
    balanced = results.mean.get("balanced_accuracy")
    return f" (always '{name}': {share:.3f})" + ("" if balanced is None else f", balanced accuracy {balanced:.3f}")


def _marks(results: RunResults) -> str:
    marked = [name for name in ("optimistic", "leaking") if getattr(results, name)]
    return f" ({', '.join(marked)})" if marked else ""


def _folds_in_words(folds: Sequence[int]) -> str:
    """`fold 3`, `folds 1 to 5`, `folds 1, 3, 4`."""
    if len(folds) == 1:
        return f"fold {folds[0]}"
    whole = len(folds) > 2 and list(folds) == list(range(folds[0], folds[-1] + 1))
    return f"folds {folds[0]} to {folds[-1]}" if whole else f"folds {', '.join(map(str, folds))}"
