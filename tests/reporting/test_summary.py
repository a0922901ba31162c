"""The table at the end of a run, and the words that belong to its number."""

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from audiosurvey.reporting.summary import print_evaluation, print_runs, print_summary
from audiosurvey.runs.evaluation.evaluation_result import EvaluationResult
from audiosurvey.runs.listing import ListedRun
from audiosurvey.runs.results.results import RunResults
from audiosurvey.runs.validity import caveats, marks


def results(**changed: Any) -> RunResults:
    row = {
        "accuracy": 0.5,
        "top3_accuracy": None,
        "auroc": 0.75,
        "loss": 1.25,
        "clips": 8,
        "epochs": 3,
        "chosen_epoch": 3,
        "seconds": 61.4,
    }
    value = {
        "dataset": {"name": "esc50", "subset": "esc10", "hash": "abc", "licence": "CC BY 3.0"},
        "classes": ["a", "b", "c"],
        "selection": "last",
        "optimistic": False,
        "leaking": False,
        "official": True,
        "not_official": None,
        "folds": [{"fold": 1} | row, {"fold": 2} | row | {"accuracy": 0.75}],
        "mean": {"accuracy": 0.625, "top3_accuracy": None, "auroc": 0.75, "loss": 1.25},
        "std": {"accuracy": 0.1768, "top3_accuracy": None, "auroc": 0.0, "loss": 0.0},
        "seconds": 122.8,
        "notes": ["folds [were] made"],
        "skipped": [{"clip": "a/b[1].wav", "reason": "no frames"}],
        "all_folds": [1, 2],
        "as_published": True,
        "multi_label": False,
        "confusion": None,
    }
    return RunResults.model_validate(value | changed)


def shown(value: RunResults, **options: Any) -> str:
    console = Console(file=io.StringIO(), width=100, highlight=False)
    print_summary(value, console, **options)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_mean_and_deviation_stand_below_the_folds():
    text = shown(results())
    assert "esc50 (esc10), 3 classes, selection: last" in text
    mean = next(line for line in text.splitlines() if "mean" in line)
    assert "0.6250" in mean
    assert mean.split()[-1] == "61"
    assert "0.1768" in next(line for line in text.splitlines() if "std" in line)
    # What does not exist for any fold has no column.
    assert "top-3" not in text


UNEVEN = {
    "classes": ["robin", "wren", "owl"],
    "confusion": [[80, 0, 0], [5, 5, 0], [9, 0, 0]],
    "config": {"train": {"sampling": "shuffle"}, "loss": {}},
    "folds": [results().folds[0].as_json() | {"balanced_accuracy": 0.5}],
    "mean": {"accuracy": 0.859, "balanced_accuracy": 0.5},
    "std": {"accuracy": None, "balanced_accuracy": None},
}


def test_uneven_classes_have_the_balanced_accuracy_the_baseline_and_the_key_that_helps():
    text = shown(results(**UNEVEN), told=True)
    assert "balanced" in text
    assert text.index("\nowl") < text.index("\nwren") < text.index("\nrobin")
    for line in (
        "uneven classes: always 'robin' gives accuracy 0.808, balanced accuracy 0.333",
        "never recognised: owl (9 clips)",
        "set train.sampling: balanced to train all classes equally often",
    ):
        assert line in text.splitlines()


def test_even_classes_have_no_second_accuracy():
    even = {"classes": ["a", "b"], "confusion": [[3, 1], [0, 4]], "mean": UNEVEN["mean"], "std": UNEVEN["std"]}
    text = shown(results(**(UNEVEN | even)), told=True)
    assert "balanced" not in text
    assert "uneven" not in text


def test_results_of_earlier_versions_have_the_classes_of_their_confusion_matrix():
    text = shown(results(confusion=[[4, 0, 0], [2, 2, 0], [0, 0, 4]]), told=True)
    assert next(line for line in text.splitlines() if line.startswith("b ")).split() == [
        "b", "4", "0.500", "1.000", "0.667", "a", "2",
    ]  # fmt: skip
    assert "calibration" not in text


def test_one_fold_has_no_mean():
    text = shown(results(folds=results().folds[:1]))
    assert "mean" not in text
    assert "std" not in text


def test_what_was_told_before_the_run_is_not_told_again():
    long, short = shown(results()), shown(results(), told=True)
    for words in ("note: folds [were] made", "skipped: a/b[1].wav: no frames", "licence of the data: CC BY 3.0"):
        assert words in long
        assert words not in short


@pytest.mark.parametrize("told", [True, False])
def test_caveats_are_always_told(told):
    text = shown(results(optimistic=True, leaking=True, official=False, not_official="fold 1 of 5 only"), told=told)
    assert "optimistic: the epoch was chosen on the test fold" in text
    assert "leaking: one recording is on both sides" in text
    assert "not the official protocol: fold 1 of 5 only" in text
    assert caveats(results()) == []
    assert "optimistic" not in shown(results(), told=told)


def test_data_of_ones_own_has_no_official_protocol_to_miss():
    own = results(
        dataset={"name": "folder", "subset": None, "hash": "abc"}, official=False, not_official="this data set has none"
    )
    assert caveats(own) == ["own folds; there is no official protocol for this data"]


def test_marks_belong_to_a_single_fold_too():
    assert marks(results(official=False, not_official="x")) == []
    assert len(marks(results(optimistic=True, leaking=True))) == 2
    assert marks(results(protocol={"tuned_on": [3, 1]})) == ["tuned on folds 1, 3"]
    assert caveats(results(protocol={"tuned_on": [2]})) == ["tuned on fold 2"]


def test_a_model_on_other_data():
    value = {
        "model": "run/fold-1/model",
        "dataset": {"name": "folder", "subset": None, "hash": "abc"},
        "clips": 10,
        "metrics": {"accuracy": 0.9, "auroc": None},
        "trained_on": ["a", "b"],
        "metrics_unseen": {"accuracy": 0.875, "auroc": 0.5},
        "skipped": [],
        "schema": 1,
        "classes": ["a", "b"],
        "confusion": None,
        "recall": None,
        "ignored": [],
    }
    console = Console(file=io.StringIO(), width=100, highlight=False)
    print_evaluation(EvaluationResult.model_validate(value), console)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "0.9000" in text
    assert "0.8750" in text
    assert next(line for line in text.splitlines() if "0.9000" in line).split()[0] == "all"
    assert "not trained on" in next(line for line in text.splitlines() if "0.8750" in line)
    assert "trained on the recordings of 2 of these clips, so the score over all is not a test" in text


def listed(runs: list[ListedRun]) -> list[str]:
    console = Console(file=(file := io.StringIO()), width=80, highlight=False)
    print_runs(runs, console)
    return file.getvalue().splitlines()


def test_runs_keep_their_names_and_say_each_caveat_once():
    names = ["runs/mine", "runs/mine-lr=0.003", "runs/2026/a-run-with-quite-a-long-name-seed=0"]
    own: Any = {"dataset": {"name": "folder", "subset": None, "hash": "abc"}, "official": False}
    lines = listed([ListedRun(Path(name), results(**own), "folder", "tiny") for name in names])
    assert sum(line.split()[:1] == [name] for name in names[:2] for line in lines) == 2
    assert max(len(line) for line in lines[:-1]) <= 80
    assert [line for line in lines if "protocol" in line] == [
        "all runs: own folds; there is no official protocol for this data"
    ]


def test_usual_runs_fit_80_columns_on_one_line_each():
    runs = [
        ListedRun(Path(f"runs/{name}"), results(), "my birds", "6 blocks", "2026-11-30", final=name == "mine")
        for name in ("mine", "my-20261130-150641")
    ]
    lines = [line for line in listed(runs) if "runs/" in line]
    assert [len(line) <= 80 and "2026-11-30" in line and "my birds" in line for line in lines] == [True, True]
    assert ["yes" in line for line in lines] == [True, False]


def test_runs_on_uneven_classes_show_what_the_largest_would_score():
    console = Console(file=io.StringIO(), width=80, highlight=False)
    runs = [ListedRun(Path("runs/a"), results(**UNEVEN), "sounds", "small", "2026-11-30")]
    print_runs([*runs, ListedRun(Path("runs/b"), results(), "esc50", "small", "2026-11-30")], console)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    uneven, even = (next(line for line in text.splitlines() if line.startswith(name)) for name in ("runs/a", "runs/b"))
    assert uneven.split()[-3:] == ["0.859", "0.500", "0.808"]
    assert "0.808" not in even
    assert "runs/a: never recognised: owl (9 clips)" in text


def test_a_caveat_of_some_runs_names_them():
    runs = [ListedRun(Path("a"), results(optimistic=True), "esc50", "m"), ListedRun(Path("b"), results(), "esc50", "m")]
    assert listed(runs)[-1] == "a: optimistic: the epoch was chosen on the test fold"
    unfinished = listed([ListedRun(Path("c"), None, "esc50", "m")])
    assert any("none yet" in line for line in unfinished)
