"""Runs as objects."""

import json
from pathlib import Path

import matplotlib.pyplot
import numpy as np
import pytest

import audiosurvey
from audiosurvey import UserError


def test_results_are_those_of_the_folder(finished_run: Path):
    run = audiosurvey.open_run(finished_run)
    stored = json.loads((finished_run / "results.json").read_text(encoding="utf-8"))
    assert run.mean == stored["mean"]
    assert (run.folds, run.classes) == ((1, 2, 3), tuple(stored["classes"]))
    assert run.fold(2).metrics["accuracy"] == stored["folds"][1]["accuracy"]
    assert run.config.train.epochs == 6
    assert [record["epoch"] for record in run.fold(1).history()] == [1, 2, 3, 4, 5, 6]
    assert repr(run) == f"<Run {finished_run}: accuracy {stored['mean']['accuracy']:.4f}, folds 1, 2, 3>"


def test_predictions_are_columns_of_all_folds(finished_run: Path):
    run = audiosurvey.open_run(finished_run)
    found = run.predictions()
    assert len(found) == 24
    assert set(found.folds) == {1, 2, 3}
    right = [label == best for label, best in zip(found.labels, found.predicted, strict=True)]
    by_fold = [np.mean([one for one, fold in zip(right, found.folds, strict=True) if fold == n]) for n in run.folds]
    assert np.mean(by_fold) == pytest.approx(run.mean["accuracy"])
    columns = found.columns()
    assert list(columns)[:5] == ["clip", "source", "fold", "label", "predicted"]
    assert list(columns)[5:] == [f"p:{name}" for name in run.classes]
    assert run.fold(3).predictions().clips == tuple(
        clip for clip, fold in zip(found.clips, found.folds, strict=True) if fold == 3
    )


def test_models_are_those_of_the_folds(finished_run: Path, tones: Path):
    run = audiosurvey.open_run(finished_run)
    sound = tones / "low" / "0.wav"
    assert run.fold(1).model().predict(sound) == audiosurvey.load(finished_run / "fold-1" / "model").predict(sound)
    with pytest.raises(UserError, match="has no final model; train with final=True and resume=True"):
        run.model()


def test_figures_are_drawn_without_a_global_figure(finished_run: Path):
    run, before = audiosurvey.open_run(finished_run), matplotlib.pyplot.get_fignums()
    for figure in (run.plot_confusion(), run.plot_curves()):
        assert figure._repr_png_().startswith(b"\x89PNG")  # pyright: ignore[reportAttributeAccessIssue]
    assert len(run.plot_curves().axes) == 2
    assert matplotlib.pyplot.get_fignums() == before


def test_notebooks_show_a_table(finished_run: Path):
    text = audiosurvey.open_run(finished_run)._repr_html_()
    assert text.count("<tr>") == 6
    assert "own folds; there is no official protocol" in text


def test_names_in_the_table_are_text(finished_run: Path):
    run = audiosurvey.open_run(finished_run)
    run.path = Path("<script>")
    assert "&lt;script&gt;" in run._repr_html_()
    assert "<script>" not in run._repr_html_()


def test_what_is_not_there_is_told(finished_run: Path, tmp_path: Path):
    with pytest.raises(UserError, match="fold 7 has no results; folds that have ended: 1, 2, 3"):
        audiosurvey.open_run(finished_run).fold(7)
    with pytest.raises(UserError, match="no such folder; expected a run"):
        audiosurvey.open_run(tmp_path / "none")
    with pytest.raises(UserError, match="not a run; expected a folder that"):
        audiosurvey.open_run(tmp_path)
