"""Which folders make a row, and which runs are seeds of one recipe."""

import pytest

from audiosurvey.comparison.sources import find_rows
from audiosurvey.errors import UserError


def names(rows):
    return [(row.name, [seed.seed for seed in row.seeds]) for row in rows]


def test_runs_that_differ_only_in_seed_are_one_row(make_run):
    paths = [make_run("runs/a-seed1", 0.8, 1), make_run("runs/a-seed0", 0.8, 0), make_run("runs/b", 0.7, 0)]
    assert names(find_rows(paths)) == [("a", [0, 1]), ("b", [0])]


def test_paths_and_workers_do_not_make_another_recipe(make_run):
    common = {"train": {"lr": 1, "num_workers": 4}, "dataset": {"name": "x"}}
    one = make_run("a-s1", seed=1, config=common | {"seed": 1, "dataset": {"name": "x", "root": "/here"}})
    two = make_run("a-s2", seed=2, config=common | {"seed": 2, "dataset": {"name": "x", "root": "/there"}})
    assert names(find_rows([one, two])) == [("a", [1, 2])]


def test_the_same_seed_twice_makes_two_rows(make_run):
    assert names(find_rows([make_run("a"), make_run("b")])) == [("a", [0]), ("b", [0])]


def test_a_folder_of_runs_is_its_runs(make_run, tmp_path):
    make_run("runs/a", 0.8)
    make_run("runs/b", 0.7)
    assert names(find_rows([tmp_path / "runs"])) == [("a", [0]), ("b", [0])]


def test_rows_of_a_survey_are_named_by_row_json(make_survey):
    survey = make_survey({("x", 1): {}, ("x", 0): {}, ("y", 0): {"sweep": {"train.lr": 0.1}}})
    rows = find_rows([survey])
    assert names(rows) == [("x", [0, 1]), ("y", [0])]
    assert rows[1].sweep == {"train.lr": 0.1}
    assert rows[0].survey == survey


def test_files_of_another_program(make_foreign, tmp_path):
    make_foreign("many/seed-3", seed=3)
    make_foreign("many/seed-12", seed=12)
    folds = tmp_path / "folds"
    for fold in (1, 2):
        (folds / f"fold-{fold}").mkdir(parents=True)
        (folds / f"fold-{fold}" / "predictions.csv").touch()
    rows = find_rows([make_foreign("one"), tmp_path / "many", folds])
    assert names(rows) == [("one", [None]), ("many", [3, 12]), ("folds", [None])]
    assert [len(row.seeds[0].files) for row in rows] == [1, 1, 2]


def test_what_is_no_model_is_refused(make_run, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty-survey" / "runs").mkdir(parents=True)
    (tmp_path / "empty-survey" / "plan.json").touch()
    run = make_run("run")
    begun = make_run("begun", folds=[])
    for paths, message in (
        ([tmp_path / "none"], "no such folder"),
        ([tmp_path / "empty"], "nothing to compare in it"),
        ([tmp_path / "empty-survey"], "no run with a finished fold"),
        ([begun], "no finished fold"),
        ([run, run], "given twice"),
    ):
        with pytest.raises(UserError, match=message) as caught:
            find_rows(paths)
        assert len(caught.value.lines) == 1


def test_a_run_without_a_row_in_a_survey_is_refused(make_survey):
    survey = make_survey({("x", 0): {}})
    next(survey.glob("runs/*/row.json")).write_text("{}", encoding="utf-8")
    with pytest.raises(UserError, match=r"row\.json: damaged, name"):
        find_rows([survey])
