"""The tables on a terminal of 80 columns: whole names and headings, and nothing that says nothing."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from audiosurvey.comparison.compare import compare_paths
from audiosurvey.comparison.leaderboard import CompareOptions
from audiosurvey.comparison.output.terminal import print_comparison
from audiosurvey.comparison.result import Comparison


def printed(comparison: Comparison, width: int = 80) -> list[str]:
    console = Console(file=(file := io.StringIO()), width=width)
    print_comparison(comparison, console)
    return file.getvalue().splitlines()


def words(lines: list[str]) -> set[str]:
    return {word for line in lines for word in line.split()}


@pytest.mark.parametrize("name", ["toy_lr=0.00", "tiny_lr=0.001-seed-of-26-chars-"])
def test_names_and_headings_are_whole(make_survey, name):
    rows = {
        (f"{name}{end}", seed): {"accuracy": accuracy, "sweep": {"train.lr": accuracy}, "config": "toy"}
        for end, accuracy in (("1", 0.8), ("2", 0.6))
        for seed in (0, 1)
    }
    lines = printed(compare_paths([make_survey(rows)], CompareOptions()))
    leaderboard = lines[: next(number for number, line in enumerate(lines) if line.startswith("verdicts"))]
    assert {f"{name}1", f"{name}2"} <= words(leaderboard)
    assert {"recordings", "accuracy", "verdict", "points", "trained", "train", "front", "calib."} <= words(lines)
    assert not any(line.strip() in ("1", "2") for line in lines)


def test_what_is_equal_is_said_once_and_what_is_unknown_is_left_out(make_run):
    lines = printed(compare_paths([make_run("one"), make_run("two", 0.6, seed=1, config={"x": 1})], CompareOptions()))
    assert "the same for all: seeds 1" in lines
    assert "the same for all: selection last, official no" in lines
    assert "trained on here, 2 cores" in lines
    headings = words([line for line in lines if ":" not in line])
    assert "MACs" in headings
    assert not {"corrupted", "clip", "pretrained", "sd", "seeds"} & headings


def test_seeds_have_no_mcnemar_column(make_run):
    runs = [make_run(f"a-seed{seed}", 0.8, seed) for seed in range(2)] + [make_run("b", 0.6, 0)]
    found = compare_paths(runs, CompareOptions())
    assert "McNemar" not in words(printed(found))
    (dataset,) = found.datasets
    one = replace(dataset.against_baseline[0], p_mcnemar=0.5)
    assert "McNemar" in words(printed(Comparison((replace(dataset, against_baseline=(one,)),))))
