"""The predictions of a fold of a run, checked against its results."""

from audiosurvey.errors import UserError
from audiosurvey.runs.results.predictions import PredictionTable, read_prediction_table
from audiosurvey.runs.results.results import RunResults
from audiosurvey.runs.results.run_folder import RunFolder

FILE = "predictions.csv"
OTHER_FILE = "other_predictions.csv"
"""Of the sounds of no class that were held out; the column `label` is empty."""


def read_fold_predictions(run: RunFolder, results: RunResults, fold: int) -> PredictionTable:
    """The scores of the test clips of a fold that has ended. Raises UserError, which says what to do about it, if the
    file is missing or damaged, or holds other classes or another number of clips than the results."""
    path, mend = run.fold(fold) / FILE, run.mend_fold(fold)
    if not path.is_file():
        raise UserError(f"{path.as_posix()}: is missing; {mend}")
    try:
        table = read_prediction_table(path)
    except UserError as error:
        *others, last = error.lines
        raise UserError(*others, f"{last}; {mend}") from None
    (clips,) = (row.clips for row in results.folds if row.fold == fold)
    if table.classes != tuple(results.classes):
        raise UserError(f"{path.as_posix()}: damaged, not a column for each class; {mend}")
    if set(table.folds_N.tolist()) != {fold} or len(table.clips) != clips:
        raise UserError(f"{path.as_posix()}: damaged, not the {clips} clips of fold {fold}; {mend}")
    return table
