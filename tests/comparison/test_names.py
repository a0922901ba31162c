"""Names of models: different within a data set, and everything that goes by them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from audiosurvey.comparison.compare import compare_paths
from audiosurvey.comparison.grouping import by_data_set
from audiosurvey.comparison.leaderboard import CompareOptions
from audiosurvey.comparison.names import distinct_names
from audiosurvey.comparison.output.page import page_values
from audiosurvey.comparison.output.records import records
from audiosurvey.comparison.output.texts import model_texts
from audiosurvey.comparison.seed_scores import read_seed
from audiosurvey.comparison.sources import find_rows
from audiosurvey.errors import UserError

Make = Callable[..., Path]


def names(*paths: Path) -> list[list[str]]:
    groups = by_data_set([(row, [read_seed(seed) for seed in row.seeds]) for row in find_rows(paths)])
    return distinct_names([[row for row, _ in group] for group in groups])


def on_other_data(run: Path, hashed: str = "x", ending: str = ".flac") -> None:
    """Makes the clips of a run others."""
    for path in (run / "results.json", *run.glob("fold-*/predictions.csv")):
        text = path.read_text(encoding="utf-8").replace('"hash": "h"', f'"hash": "{hashed}"').replace(".wav", ending)
        path.write_text(text, encoding="utf-8")


@pytest.fixture
def two_titles(make_survey: Make) -> list[Path]:
    """Two surveys with a row `a` each, on one data set that they call differently."""
    return [
        make_survey({("a", 0): {"accuracy": 0.9, "dataset": "esc10"}, ("b", 0): {"dataset": "esc10"}}, name="first"),
        make_survey({("a", 0): {"accuracy": 0.3}}, name="second"),
    ]


def test_names_of_one_data_set_under_two_titles_are_told_apart(make_survey: Make):
    first = make_survey({("a", 0): {"dataset": "esc10"}, ("b", 0): {"dataset": "esc10"}}, name="first")
    second = make_survey({("a", 0): {"accuracy": 0.7}}, name="second")
    assert names(first, second) == [["first/a", "b", "second/a"]]


def test_a_survey_and_a_run_of_one_name(make_survey: Make, make_run: Make, make_foreign: Make):
    survey = make_survey({("a", 0): {"dataset": "esc10"}})
    assert names(survey, make_run("runs/a", 0.7), make_foreign("theirs/a")) == [["survey/a", "runs/a", "theirs/a"]]


def test_as_many_folders_as_are_needed(make_run: Make):
    paths = [make_run("one/x/a", 0.9), make_run("two/x/a", 0.8), make_run("two/y/a", 0.7)]
    assert names(*paths) == [["one/x/a", "two/x/a", "two/y/a"]]


def test_seeds_of_another_program_are_named_by_the_folder_around_them(
    make_foreign: Make, make_run: Make, tmp_path: Path
):
    make_foreign("theirs/a/seed-0", seed=0)
    make_foreign("theirs/a/seed-1", seed=1)
    assert names(tmp_path / "theirs" / "a", make_run("ours/a")) == [["ours/a", "theirs/a"]]


def test_what_no_folder_tells_apart_is_named_by_its_run(make_run: Make):
    seeds = [make_run(f"runs/a-seed{seed}", 0.8, seed) for seed in (0, 1)]
    assert names(*seeds, make_run("runs/a", 0.7)) == [["runs/a-seed0", "runs/a"]]


def test_one_name_on_two_data_sets_is_one_model(make_survey: Make):
    one, two = (make_survey({("a", 0): {}, ("b", 0): {"accuracy": 0.7}}, name=name) for name in ("one", "two"))
    for run in two.glob("runs/*"):
        on_other_data(run)
    assert names(one, two) == [["a", "b"], ["a", "b"]]


def test_a_name_that_is_told_apart_is_so_on_all_data_sets(make_survey: Make):
    rows = {("a", 0): {"dataset": "one"}, ("a", 1): {"dataset": "two"}}
    both, other = make_survey(rows, name="both"), make_survey({("a", 0): {"accuracy": 0.7}}, name="other")
    for run in both.glob("runs/a-seed1-*"):
        on_other_data(run)
    assert names(both, other) == [["both/a", "other/a"], ["both/a"]]


def test_everything_goes_by_these_names(make_survey: Make):
    first = make_survey({("a", 0): {"accuracy": 0.9, "dataset": "esc10"}}, name="first")
    second = make_survey({("a", 0): {"accuracy": 0.3}, ("b", 0): {"accuracy": 0.6}}, name="second")
    (found,) = compare_paths([first, second], CompareOptions(baseline="first/a", pairs=True)).datasets
    assert [model.name for model in found.models] == ["first/a", "b", "second/a"]
    assert (found.baseline, found.chosen_by_score) == ("first/a", False)
    assert {pair.first: pair.verdict for pair in found.against_baseline} == {"b": "worse", "second/a": "worse"}
    assert [text.verdict for text in model_texts(found)] == ["baseline", "worse", "worse"]
    assert len({(pair.first, pair.second) for pair in found.pairs}) == 3


def test_the_second_of_two_names_may_be_the_baseline(two_titles: list[Path]):
    options = CompareOptions(baseline="second/a")
    found = compare_paths(two_titles, options)
    by_name = {record["model"]: record for record in records(found)}
    assert by_name["second/a"]["verdict"] == "baseline"
    assert by_name["first/a"]["verdict"] == "better"
    (page,) = page_values(found)["datasets"]
    assert [row["name"] for row in page["intervals"]["rows"] if row["baseline"]] == ["second/a"]


def test_a_baseline_that_several_models_are_called_is_refused_with_their_names(two_titles: list[Path]):
    with pytest.raises(UserError) as caught:
        compare_paths(two_titles, CompareOptions(baseline="a"))
    assert caught.value.lines == ("baseline='a': several models have this name; give one of first/a, second/a",)


def test_a_run_in_two_of_the_paths_is_refused(make_run: Make, make_survey: Make, tmp_path: Path):
    run, survey = make_run("runs/a"), make_survey({("x", 0): {}})
    for paths in ([tmp_path / "runs", run], [survey, survey / "runs"], [survey, survey]):
        with pytest.raises(UserError, match="given twice") as caught:
            find_rows(paths)
        assert len(caught.value.lines) == 1
