"""The command `survey`: what it prints at the end, and what it takes."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from small_survey import MakeSurvey

from audiosurvey.surveys import work

NET = "configs: [net.yaml]"
Command = Callable[..., tuple[int, str, str]]


def test_failed_cells_are_named_with_the_command_that_trains_them_again(
    make_survey: MakeSurvey, command: Command, monkeypatch: pytest.MonkeyPatch
):
    def run_job(*arguments):
        raise ZeroDivisionError("no")

    path = make_survey("folds: [1]", configs=NET)
    with monkeypatch.context() as patch:
        patch.setattr(work, "run_job", run_job)
        status, _, err = command("survey", path)
    again = "audiosurvey survey surveys/my --retry-failed"
    assert status == 1
    assert err.splitlines()[-1] == f"to train failed cells again: {again}"
    status, _, err = command("survey", path, "--status")
    named, last = err.splitlines()
    assert status == 0
    assert named.startswith("failed: net, seed 0, fold 1: ZeroDivisionError: no (traceback: surveys/my/cells/")
    assert last == f"to train failed cells again: {again}"
    # The command works as it is printed.
    status, out, _ = command(*again.split()[1:])
    assert (status, out.splitlines()[-2:]) == (0, ["1 of 1 cells done", "compare: audiosurvey compare surveys/my"])


def test_a_timeout_has_no_traceback_to_look_at(make_survey: MakeSurvey, command: Command):
    status, _, err = command("survey", make_survey("timeout: 0.001", "folds: [1]", configs=NET))
    assert status == 1
    assert "failed: net, seed 0, fold 1: took longer than the timeout of 0.001 s\n" in err


@pytest.mark.parametrize("place", ["surveys/my", "surveys/my/survey.yaml"])
def test_a_survey_folder_stands_for_its_file(make_survey: MakeSurvey, tmp_path: Path, command: Command, place: str):
    # The config lies beside the survey file, and not in the working directory.
    (tmp_path / "there").mkdir()
    there = make_survey("folds: [1]", configs=NET).rename(tmp_path / "there" / "my.yaml")
    (tmp_path / "net.yaml").rename(tmp_path / "there" / "net.yaml")
    assert command("survey", there)[0] == 0
    for words in ([place], [place, "--dry-run"], [place, "--status"], [place, "--run-dir", "t", "--dry-run"]):
        assert command("survey", *words)[0] == 0
    assert json.loads(Path("surveys/my/plan.json").read_text())["survey_file"] == there.as_posix()
