"""plan.json: a damaged one is kept aside and written again; that of another version is left alone."""

import json
from pathlib import Path

import pytest
from small_survey import MakeSurvey, results_of

from audiosurvey.errors import ArgumentError, UserError
from audiosurvey.surveys.listener import SurveyListener
from audiosurvey.surveys.status import survey_status
from audiosurvey.surveys.survey import SurveyOptions, open_survey

NET = "configs: [net.yaml]"
PLAN = Path("s/plan.json")
MEND = "run 'audiosurvey survey' with the survey file, which writes it again"


class Said(SurveyListener):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def run(path: Path) -> list[str]:
    listener = Said()
    assert open_survey(path, SurveyOptions(Path("s"))).train(listener).complete
    return listener.lines


def change(**fields: object) -> str:
    return json.dumps(json.loads(PLAN.read_text()) | fields)


@pytest.mark.parametrize(
    "damage",
    [lambda: "{", lambda: "{}", lambda: "[]", lambda: change(cells=[{}]), lambda: change(conditions=1)],
    ids=["half", "empty", "list", "cells", "conditions"],
)
def test_a_damaged_plan_is_written_again(make_survey: MakeSurvey, damage):
    path = make_survey("folds: [1]", configs=NET)
    run(path)
    before, results = PLAN.read_text(), results_of(Path("s"))
    PLAN.write_text(text := damage())
    with pytest.raises(UserError, match=f"^{PLAN}: damaged, .*; {MEND}$"):
        survey_status(Path("s"))
    assert run(path) == [f"{PLAN}: damaged; kept as plan.json.damaged and written again"]
    assert (PLAN.read_text(), Path("s/plan.json.damaged").read_text()) == (before, text)
    assert results_of(Path("s")) == results
    assert run(path) == []


def test_what_is_lost_is_told(make_survey: MakeSurvey):
    path = make_survey("folds: [1]", "budget: {seconds: 0.01}", configs=NET)
    run(path)
    PLAN.write_text("{")
    assert "; the budget in seconds was measured again, and cells with another number of epochs" in run(path)[0]


def test_the_plan_of_another_version_is_left_alone(make_survey: MakeSurvey):
    path = make_survey("folds: [1]", configs=NET)
    run(path)
    PLAN.write_text(text := change(schema=2))
    with pytest.raises(UserError, match=r"another version of audiosurvey wrote it \(schema 2\); use that version$"):
        run(path)
    assert PLAN.read_text() == text


def test_another_survey_is_known_by_its_runs_too(make_survey: MakeSurvey):
    run(make_survey("folds: [1]", configs=NET))
    PLAN.write_text("{")
    other = make_survey("folds: [1]", configs="configs: [{config: net.yaml, name: other, set: {train.lr: 0.5}}]")
    with pytest.raises(ArgumentError, match=r"holds another survey \(rows net\)"):
        run(other)
    assert PLAN.read_text() == "{"
