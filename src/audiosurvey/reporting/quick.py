"""What a quick look (`train --quick`) has shown, in one line."""

from pathlib import Path

from audiosurvey.runs.results.fold_log import read_history
from audiosurvey.runs.results.results import RunResults
from audiosurvey.runs.results.run_folder import RunFolder


def quick_line(run: Path, results: RunResults) -> str:
    """The score beside that of always choosing the largest class, and the training loss of the first and last epoch."""
    row = results.folds[0]
    history = read_history(RunFolder(run).fold(row.fold))
    losses = [record["train_loss"] for record in history if record.get("train_loss") is not None]
    fell = f"; the training loss went from {losses[0]:.2f} to {losses[-1]:.2f}" if losses else ""
    after = f"after {row.epochs} of {results.quick} epochs" if results.quick != row.epochs else "of a probe"
    metric = "map" if results.multi_label else "accuracy"
    value = row.metrics([metric])[metric]
    score = f"quick look: {metric} {'-' if value is None else f'{value:.3f}'} on fold {row.fold} {after}"
    if results.confusion is None:
        return score + fell
    tested = [sum(counts) for counts in results.confusion]
    largest = tested.index(max(tested))
    always = f"always '{results.classes[largest]}' would give {max(tested) / sum(tested):.3f}"
    return f"{score} ({always}){fell}"
