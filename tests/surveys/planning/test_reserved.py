"""Keys that have no effect in a survey are rejected wherever they are set, each with its line."""

import pytest
from small_survey import MakeSurvey

from audiosurvey.errors import ArgumentError, UserError
from audiosurvey.surveys.planning.reading import load_survey
from audiosurvey.surveys.planning.reserved import refuse_reserved

NET = "configs: [net.yaml]"
SEEDS, BUDGET, LENGTH = (
    "use the survey key seeds",
    "use the survey key budget",
    "all trainings have the same length",
)
STEPS = "budget: {steps: 3}"
SEARCH = "search: {trials: 1, space: {%s: {choice: [1, 2]}}}"


@pytest.mark.parametrize(
    ("configs", "lines", "fault"),
    [
        (NET, ["sweep: {seed: [1]}"], f"3: sweep: seed: cannot be swept; {SEEDS}"),
        (
            NET,
            ["sweep: {train.epochs: [1]}", STEPS],
            f"3: sweep: train.epochs: cannot be swept; {BUDGET}",
        ),
        (NET, ["sweep: {dataset.root: [a]}"], "3: sweep: dataset.root: cannot be swept; use the survey key datasets"),
        (NET, ["sweep: {list: [{train.lr: 1}, {seed: 1}]}"], f"3: sweep.list.1: seed: cannot be swept; {SEEDS}"),
        (
            "configs: [{config: net.yaml, set: {train: {epochs: 1}}}]",
            ["budget: {epochs: 2}"],
            f"1: configs.0.set: train.epochs: cannot be set in a survey; {BUDGET}",
        ),
        (
            "configs: [{config: net.yaml, set: {train.patience: 1}}]",
            ["budget: {epochs: 2}"],
            f"1: configs.0.set: train.patience: cannot be set in a survey; {LENGTH}",
        ),
        (NET, [SEARCH % "train.epochs"], f"3: search.space: train.epochs: cannot be searched; {BUDGET}"),
        (NET, [SEARCH % "seed"], f"3: search.space: seed: cannot be searched; {SEEDS}"),
    ],
)
def test_in_the_survey_file(make_survey: MakeSurvey, configs: str, lines: list[str], fault: str):
    path = make_survey(*lines, configs=configs)
    with pytest.raises(UserError) as error:
        load_survey(path)
    assert [line.removeprefix(f"{path}:") for line in error.value.lines] == [fault]


def test_among_overrides(make_survey: MakeSurvey):
    with_budget, without = load_survey(make_survey("budget: {epochs: 2}")).spec, load_survey(make_survey()).spec
    with pytest.raises(ArgumentError) as error:
        refuse_reserved(without, ["train.lr=1", "seed=3"])
    assert error.value.flag_lines == (f"--set seed=3: seed: cannot be set in a survey; {SEEDS}",)
    with pytest.raises(ArgumentError, match=r"overrides='train.epochs=1': train.epochs: cannot be set in a survey"):
        refuse_reserved(with_budget, ["train.epochs=1"])
    refuse_reserved(without, ["train.epochs=1", "train.patience=3", "optimizer.name: x", "=", "train.lr=["])


@pytest.mark.parametrize("word", ["budget.epochs=3", "budget", "seeds=[1]", "configs.0=tiny"])
def test_keys_of_the_survey_file_are_not_set_by_overrides(make_survey: MakeSurvey, word: str):
    section = word.partition(".")[0].partition("=")[0]
    with pytest.raises(ArgumentError) as error:
        refuse_reserved(load_survey(make_survey()).spec, [word])
    rest = f"{section} is a key of the survey file; only keys of the configs can be set here"
    assert error.value.flag_lines == (f"--set {word}: {rest}",)


def test_what_has_an_effect_is_accepted(make_survey: MakeSurvey):
    assert load_survey(make_survey("sweep: {train.epochs: [1, 2]}")).spec.sweep == {"train.epochs": [1, 2]}
