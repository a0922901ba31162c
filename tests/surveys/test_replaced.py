"""Runs that leave a survey and come back: with their final model, and without a growing folder."""

from pathlib import Path

import pytest
from small_survey import MakeSurvey

from audiosurvey.surveys.listener import SurveyListener
from audiosurvey.surveys.survey import SurveyOptions, open_survey

NET = "configs: [net.yaml]"
BOTH = "configs: [net.yaml, {config: net.yaml, name: wide, set: {model.blocks.0.conv_block.channels: 8}}]"
CHANGED = "configs: [net.yaml, {config: net.yaml, name: wide, set: {model.blocks.0.conv_block.channels: 6}}]"


class Said(SurveyListener):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def run(path: Path, **options) -> list[str]:
    listener = Said()
    open_survey(path, SurveyOptions(Path("s"), **options)).train(listener)
    return listener.lines


def give_model(run_folder: Path) -> None:
    """As a final model would lie there."""
    (run_folder / "model").mkdir()
    (run_folder / "model" / "weights").touch()


@pytest.mark.parametrize(
    ("without", "reason"), [(NET, "no longer a row of the survey"), (CHANGED, "made from another config or data")]
)
def test_a_run_comes_back_with_its_model(make_survey: MakeSurvey, tmp_path: Path, without: str, reason: str):
    def survey(configs: str) -> Path:
        return make_survey("folds: [1]", configs=configs)

    ours = Path("s/runs/wide-seed0")
    run(survey(BOTH))
    give_model(ours)
    there = "s/replaced/wide-seed0-1"
    told = open_survey(survey(without), SurveyOptions(Path("s"))).notes
    assert told == [f"{ours.as_posix()}: {reason}; training moves it with its final model to replaced"]
    assert open_survey(survey(BOTH), SurveyOptions(Path("s"))).notes == []
    assert run(survey(without)) == [f"{ours.as_posix()}: {reason}; moved with its final model to {there}"]
    assert (Path(there) / "model" / "weights").exists()
    assert not (ours / "model").exists()
    kept: set[int] = set()
    for _ in range(3):
        lines = run(survey(BOTH))
        assert [line for line in lines if "moved back with its final model from" in line]
        assert (ours / "model" / "weights").exists()
        run(survey(without))
        kept.add(len(list(Path("s/replaced").iterdir())))
    assert kept == {1}


def test_runs_without_a_model_move_silently(make_survey: MakeSurvey):
    run(make_survey("folds: [1]", configs=BOTH))
    for configs in (NET, BOTH, NET, BOTH):
        assert run(make_survey("folds: [1]", configs=configs)) == []
    assert list(Path("s/replaced").iterdir()) == []


def test_a_run_of_cells_that_were_trained_again_stays_aside(make_survey: MakeSurvey):
    run(make_survey("folds: [1]", configs=BOTH))
    give_model(Path("s/runs/wide-seed0"))
    cell = next(path for path in Path("s/runs/wide-seed0").glob("fold-1/result.json"))
    (folder,) = [path for path in Path("s/cells").iterdir() if (path / "result.json").samefile(cell)]
    run(make_survey("folds: [1]", configs=NET))
    text = (folder / "result.json").read_text()
    (folder / "result.json").unlink()
    (folder / "result.json").write_text(text + "\n")
    assert run(make_survey("folds: [1]", configs=BOTH)) == []
    assert Path("s/replaced/wide-seed0-1/model").exists()
    assert not Path("s/runs/wide-seed0/model").exists()


def test_runs_of_an_earlier_config_are_gone_before_new_cells_are_trained(
    make_survey: MakeSurvey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    run(make_survey("folds: [1]", configs=BOTH))
    assert sorted(path.name for path in Path("s/runs").iterdir()) == ["net-seed0", "wide-seed0"]

    class Stopped(Said):
        def ended(self, cell, outcome) -> None:
            raise KeyboardInterrupt

    changed = make_survey("folds: [1]", "budget: {epochs: 3}", configs=BOTH)
    with pytest.raises(KeyboardInterrupt):
        open_survey(changed, SurveyOptions(Path("s"))).train(Stopped())
    # Of the two rows, the one that was trained anew is there; the other is not compared with it.
    assert len(list(Path("s/runs").iterdir())) == 1


def test_a_run_holds_the_folds_of_one_config(make_survey: MakeSurvey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    run(make_survey("folds: [1]", configs=NET))
    other = "configs: [{config: net.yaml, name: net, set: {train.lr: 0.5}}]"
    run(make_survey("folds: [2, 3]", configs=other))
    folds = sorted(path.parent.name for path in Path("s/runs/net-seed0").glob("fold-*/result.json"))
    assert folds == ["fold-2", "fold-3"]


def test_a_process_that_began_with_an_earlier_file_leaves_the_runs_of_the_present_one(make_survey: MakeSurvey):
    earlier = open_survey(make_survey("folds: [1]", configs=BOTH), SurveyOptions(Path("s")))
    present = make_survey("folds: [1]", configs=CHANGED.replace("net.yaml,", "{config: net.yaml, name: narrow},", 1))

    class StartsTheOther(Said):
        def ended(self, cell, outcome) -> None:
            if cell.row == "net":
                run(present)

    earlier.train(StartsTheOther())
    assert sorted(path.name for path in Path("s/runs").iterdir()) == ["narrow-seed0", "wide-seed0"]
    assert "channels: 6" in Path("s/runs/wide-seed0/config.yaml").read_text()
    # All that was trained is there, for the earlier file too.
    assert len(list(Path("s/cells").glob("*/result.json"))) == 3
