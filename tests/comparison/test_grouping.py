"""Which rows are on one data set, and what the data sets are called."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from audiosurvey.comparison.compare import compare_paths
from audiosurvey.comparison.grouping import by_data_set, titles
from audiosurvey.comparison.leaderboard import CompareOptions
from audiosurvey.comparison.seed_scores import read_seed
from audiosurvey.comparison.sources import find_rows
from audiosurvey.errors import UserError

Make = Callable[..., Path]


def grouped(*paths: Path) -> dict[str, list[str]]:
    """Names of the rows by the title of their data set."""
    groups = by_data_set([(row, [read_seed(seed) for seed in row.seeds]) for row in find_rows(paths)])
    return {title: [row.name for row, _ in group] for title, group in zip(titles(groups), groups, strict=True)}


def on_data(run: Path, root: str, *, ending: str = ".wav") -> Path:
    """Makes the data of a run others, in the folder `root`; the names of its clips have another `ending`."""
    results = json.loads((run / "results.json").read_text(encoding="utf-8"))
    results["dataset"]["hash"] = root
    results["config"]["dataset"] = {"name": "folder", "root": root}
    (run / "results.json").write_text(json.dumps(results), encoding="utf-8")
    for path in run.glob("fold-*/predictions.csv"):
        path.write_text(path.read_text(encoding="utf-8").replace(".wav", ending), encoding="utf-8")
    return run


def test_data_sets_of_a_survey_are_apart(make_survey: Make):
    rows = {("a", 0): {"dataset": "one"}, ("b", 0): {"dataset": "one"}, ("c", 0): {"dataset": "two"}}
    assert grouped(make_survey(rows)) == {"one": ["a", "b"], "two": ["c"]}


def test_two_surveys_may_call_one_data_set_differently(make_survey: Make):
    one = make_survey({("a", 0): {"dataset": "esc10"}}, name="one")
    other = make_survey({("b", 0): {}}, name="other")
    assert grouped(one, other) == {"esc10": ["a", "b"]}


def test_two_data_sets_of_a_survey_stay_apart_beside_another_survey_of_the_same_clips(make_survey: Make):
    other = make_survey({("a", 0): {"dataset": "whole"}}, name="other")
    two = make_survey({("a", 0): {"dataset": "one"}, ("a", 1): {"dataset": "two"}}, name="two")
    assert grouped(other, two) == {"whole": ["a", "a"], "two": ["a"]}


@pytest.mark.parametrize("ending", [".wav", ".flac"])
def test_contents_of_a_survey_that_differ_are_two_data_sets(make_survey: Make, ending: str):
    """Also if their clips have the same names."""
    survey = make_survey({("a", 0): {}, ("b", 0): {}, ("c", 0): {}})
    for row, root in (("a", "data/old"), ("b", "data/new"), ("c", "data/new")):
        on_data(next(survey.glob(f"runs/{row}-*")), root, ending=".wav" if row == "a" else ending)
    assert grouped(survey) == {"folder (old)": ["a"], "folder (new)": ["b", "c"]}


def test_titles_have_as_much_of_the_folder_as_is_needed(make_survey: Make):
    survey = make_survey({("a", 0): {}, ("b", 0): {}})
    for row in ("a", "b"):
        on_data(next(survey.glob(f"runs/{row}-*")), f"data/{row}/clips")
    assert list(grouped(survey)) == ["folder (a/clips)", "folder (b/clips)"]


def test_titles_without_a_known_folder_are_numbered(make_survey: Make):
    survey = make_survey({("a", 0): {}, ("b", 0): {}})
    path = next(survey.glob("runs/b-*")) / "results.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"hash": "h"', '"hash": "x"'), encoding="utf-8")
    assert list(grouped(survey)) == ["folder", "folder (2)"]


def test_a_run_goes_to_the_data_set_with_its_contents(make_survey: Make, make_run: Make):
    survey = make_survey({("a", 0): {}, ("b", 0): {}})
    for row in ("a", "b"):
        on_data(next(survey.glob(f"runs/{row}-*")), row)
    run = on_data(make_run("run", 0.7), "b")
    assert grouped(survey, run) == {"folder (a)": ["a"], "folder (b)": ["b", "run"]}


def test_contents_count_before_names_of_clips_whatever_comes_first(make_survey: Make):
    one = make_survey({("a", 0): {}}, name="one")
    both = make_survey({("b", 0): {}, ("c", 0): {}}, name="both")
    for run, root in ((next(one.glob("runs/a-*")), "old"), (next(both.glob("runs/c-*")), "old")):
        on_data(run, root)
    on_data(next(both.glob("runs/b-*")), "new")
    assert grouped(one, both) == {"folder (old)": ["a", "c"], "folder (new)": ["b"]}


def test_clips_of_two_data_sets_are_refused(make_survey: Make, make_foreign: Make):
    survey = make_survey({("a", 0): {}, ("b", 0): {}})
    for row in ("a", "b"):
        on_data(next(survey.glob(f"runs/{row}-*")), row)
    theirs = make_foreign("theirs")
    with pytest.raises(UserError) as caught:
        grouped(survey, theirs)
    assert caught.value.lines == (
        f"{theirs.as_posix()}: its clips are named like those of several data sets, folder (a) and folder (b); compare "
        "it with runs on one of them",
    )


def test_runs_with_other_contents_are_named(make_run: Make):
    (found,) = compare_paths([make_run("a", 0.9), on_data(make_run("b", 0.7), "new")], CompareOptions()).datasets
    assert [note for note in found.notes if "differ" in note] == [
        "clips, folds and labels are the same, but the sound files or source recordings of b differ from those of a"
    ]
