"""Pruning by the median: trials are compared on the same split only, also after the search was begun again."""

import json
from pathlib import Path

import pytest

from audiosurvey.config.loader import load_config
from audiosurvey.surveys.cell import Cell, Conditions, DataKey, make_cell
from audiosurvey.surveys.folder import SurveyFolder
from audiosurvey.surveys.search.pruning import MedianPruning
from audiosurvey.surveys.search.study import STARTUP_TRIALS


def trial(
    survey: SurveyFolder, fold: int, number: int, *scores: float, metric: str = "accuracy", file: str = "result.json"
) -> Cell:
    """A cell with these scores on its validation fold after each epoch; `file` says that it has ended."""
    config = load_config("tiny", [f"train.lr={0.001 * (number + 1)}"]).config
    cell = make_cell(f"trial {number}", config, fold, Conditions("cpu", "fp32", 1), DataKey("data"), trial=True)
    folder = survey.cell(cell)
    folder.path.mkdir(parents=True)
    records = [{"epoch": epoch, f"val_{metric}": score} for epoch, score in enumerate(scores, start=1)]
    (folder.path / file).touch()
    (folder.path / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return cell


@pytest.mark.parametrize(("fold", "stops"), [(1, True), (2, False)])
def test_trials_of_other_splits_do_not_count(tmp_path: Path, fold: int, stops: bool):
    survey = SurveyFolder(tmp_path)
    pruning = MedianPruning(survey, "accuracy")
    pruning.remember([trial(survey, fold, number, 0.9) for number in range(STARTUP_TRIALS)])
    # Two bad trials on split 1, beside a good one.
    running = [trial(survey, 1, 7, 0.1), trial(survey, 1, 8, 0.1), trial(survey, 1, 9, 0.95)]
    pruning.look(running)
    assert [survey.cell(cell).stop.exists() for cell in running] == [stops, stops, False]


def test_the_same_epoch_is_compared(tmp_path: Path):
    survey = SurveyFolder(tmp_path)
    pruning = MedianPruning(survey, "loss")
    pruning.remember([trial(survey, 1, number, 3.0, 2.0, 1.0, metric="loss") for number in range(STARTUP_TRIALS)])
    curves = [(2.9,), (3.1,), (2.9, 2.1), (2.9, 1.9), (), (3.0, 2.0, 1.0, 9.0)]
    running = [trial(survey, 1, 10 + number, *curve, metric="loss") for number, curve in enumerate(curves)]
    pruning.look(running)
    assert [survey.cell(cell).stop.exists() for cell in running] == [False, True, True, False, False, False]


def test_curves_of_failed_and_unfinished_trials_do_not_count(tmp_path: Path):
    survey = SurveyFolder(tmp_path)
    pruning = MedianPruning(survey, "accuracy")
    ended = [trial(survey, 1, number, 0.9) for number in range(STARTUP_TRIALS)]
    pruning.remember(ended)
    (survey.cell(ended[0]).path / "result.json").unlink()
    running = trial(survey, 1, 7, 0.1)
    pruning.look([running])
    assert survey.cell(running).stop.exists()
    survey.cell(running).stop.unlink()
    pruning = MedianPruning(survey, "accuracy")
    pruning.remember(ended)
    pruning.look([running])
    assert not survey.cell(running).stop.exists()


@pytest.mark.parametrize("file", ["result.json", "pruned.json"])
def test_curves_are_read_from_the_cells_of_a_plan(tmp_path: Path, file: str):
    """A search that begins again knows no more of earlier trials than their ids and folds."""
    survey = SurveyFolder(tmp_path)
    ended = [trial(survey, 1, number, 0.9, file=file) for number in range(STARTUP_TRIALS)]
    pruning = MedianPruning(survey, "accuracy")
    pruning.remember([cell.planned for cell in ended])
    running = trial(survey, 1, 7, 0.1)
    pruning.look([running])
    assert survey.cell(running).stop.exists()
