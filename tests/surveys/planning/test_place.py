"""Which folder a survey has: its own one, and never that of another survey."""

import json
import shutil
from pathlib import Path

import pytest
from small_survey import MakeSurvey

from audiosurvey.errors import ArgumentError, UserError
from audiosurvey.surveys.planning.place import find_survey
from audiosurvey.surveys.survey import SurveyOptions, open_survey

ONE_FOLD = "folds: [1]"
NET = "configs: [net.yaml]"
OTHER = "configs: [{config: net.yaml, name: other, set: {train.lr: 0.5}}]"


def run(path: Path, folder: Path | None = None, **options):
    return open_survey(path, SurveyOptions(folder, **options)).train()


def trained_project(folder: Path, make_survey: MakeSurvey, monkeypatch: pytest.MonkeyPatch) -> None:
    """A survey file with its config in a folder of their own, trained there; it is the working directory."""
    folder.mkdir()
    path = make_survey(ONE_FOLD, configs=NET)
    for file in (path, path.with_name("net.yaml")):
        file.rename(folder / file.name)
    monkeypatch.chdir(folder)
    run(Path("my.yaml"))


def files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*.*") if path.is_file() and path.suffix != ".lock"}


def test_a_survey_file_has_the_default_folder_or_the_one_that_is_given():
    assert find_survey(Path("a/my.yaml")).folder.path == Path("surveys/my")
    assert find_survey(Path("a/my.yaml"), Path("there")).folder.path == Path("there")


def test_a_survey_folder_is_its_own_folder(make_survey: MakeSurvey, tmp_path: Path):
    run(make_survey(ONE_FOLD, configs=NET), tmp_path / "s")
    for path in (tmp_path / "s", tmp_path / "s" / "survey.yaml"):
        found = find_survey(path)
        assert (found.file, found.folder.path) == (tmp_path / "s" / "survey.yaml", tmp_path / "s")
        assert run(path).complete
    assert not (tmp_path / "surveys").exists()
    assert find_survey(tmp_path / "s", tmp_path / "t").folder.path == tmp_path / "t"
    # A lost plan is written again.
    (tmp_path / "s" / "plan.json").unlink()
    assert run(tmp_path / "s").complete


def test_a_survey_file_beside_other_files_is_no_survey_folder(make_survey: MakeSurvey, tmp_path: Path):
    make_survey().rename(tmp_path / "survey.yaml")
    assert find_survey(tmp_path / "survey.yaml").folder.path == Path("surveys/survey")
    with pytest.raises(UserError, match=r"is not a survey folder .*; give a survey file$"):
        find_survey(tmp_path)


def test_a_survey_folder_has_its_own_configs_in_every_working_directory(
    make_survey: MakeSurvey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Not those of the same name that lie there."""
    run(make_survey(ONE_FOLD, configs=NET))
    text = (tmp_path / "net.yaml").read_text(encoding="utf-8")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "net.yaml").write_text(text.replace("lr: 0.02", "lr: 0.5"), encoding="utf-8")
    monkeypatch.chdir(tmp_path / "elsewhere")
    opened = open_survey(Path("../surveys/my"), SurveyOptions())
    assert opened.plan.rows[0].config.train.lr == 0.02
    (tmp_path / "elsewhere" / "net.yaml").unlink()
    assert run(Path("../surveys/my")).complete


def test_a_project_that_was_moved_is_worked_on_where_it_is(
    make_survey: MakeSurvey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    trained_project(tmp_path / "before", make_survey, monkeypatch)
    (tmp_path / "before").rename(tmp_path / "after")
    monkeypatch.chdir(tmp_path / "after")
    assert run(Path("surveys/my")).complete


def test_a_copy_of_a_project_has_its_own_configs(
    make_survey: MakeSurvey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Not those of the project that it was copied from."""
    trained_project(tmp_path / "one", make_survey, monkeypatch)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    config = tmp_path / "two" / "net.yaml"
    config.write_text(config.read_text(encoding="utf-8").replace("lr: 0.02", "lr: 0.5"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    found = [open_survey(Path(name, "surveys/my"), SurveyOptions()).plan for name in ("one", "two")]
    assert [plan.rows[0].config.train.lr for plan in found] == [0.02, 0.5]
    # A copy of the survey folder alone has those of the project.
    shutil.copytree(tmp_path / "one" / "surveys" / "my", tmp_path / "three" / "my")
    assert open_survey(Path("three/my"), SurveyOptions()).plan.rows[0].config.train.lr == 0.02


def test_a_survey_folder_keeps_its_overrides(make_survey: MakeSurvey, tmp_path: Path):
    """Messages name the folder, such as the one on how to train failed cells again."""
    path = make_survey(ONE_FOLD, configs=NET)

    def rate(place: Path, *overrides: str) -> float:
        return open_survey(place, SurveyOptions(overrides=overrides)).plan.rows[0].config.train.lr

    run(path, overrides=["train.lr=0.1", "train.batch_size=4"])
    there = Path("surveys/my")
    assert (rate(there), rate(there, "train.lr=0.3"), rate(path)) == (0.1, 0.3, 0.02)
    before = files(there)
    assert run(there).complete
    assert files(there) == before
    assert run(there, overrides=["train.lr=0.3"]).complete
    assert json.loads((there / "plan.json").read_text())["overrides"] == [
        "train.lr=0.1",
        "train.batch_size=4",
        "train.lr=0.3",
    ]
    assert run(path).complete
    assert rate(there) == 0.02


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_the_copy_of_a_survey_file_is_utf_8(make_survey: MakeSurvey, encoding: str):
    path = make_survey(ONE_FOLD, configs=NET)
    path.write_text(path.read_text(encoding="utf-8"), encoding=encoding)
    run(path)
    assert run(Path("surveys/my")).complete
    # One that was damaged is written again.
    Path("surveys/my/survey.yaml").write_bytes(b"configs: [net.yaml] # \xff\n")
    assert run(path).complete
    assert run(Path("surveys/my")).complete


def test_another_survey_of_the_same_name_is_refused(make_survey: MakeSurvey, tmp_path: Path):
    run(make_survey(ONE_FOLD), Path("surveys/my"))
    before = files(tmp_path / "surveys")
    other = make_survey(ONE_FOLD, configs=OTHER)
    with pytest.raises(ArgumentError) as error:
        open_survey(other, SurveyOptions())
    folder = Path("surveys/my")
    assert error.value.flag_lines == (f"{folder}: holds another survey (rows net, wide); give another --run-dir",)
    assert files(tmp_path / "surveys") == before


def test_a_survey_that_has_trained_nothing_is_replaced(make_survey: MakeSurvey, tmp_path: Path):
    open_survey(make_survey(ONE_FOLD), SurveyOptions())
    opened = open_survey(make_survey(ONE_FOLD, configs=OTHER), SurveyOptions())
    assert {cell["row"] for cell in json.loads(Path("surveys/my/plan.json").read_text())["cells"]} == {"other"}
    assert opened.plan.folder.path == Path("surveys/my")


@pytest.mark.parametrize("changed", ["sweep: {train.lr: [0.3, 0.4]}", "seeds: [1]", "budget: {epochs: 1}"])
def test_a_changed_survey_keeps_its_folder(make_survey: MakeSurvey, tmp_path: Path, changed: str):
    run(make_survey(ONE_FOLD, configs=NET))
    assert run(make_survey(ONE_FOLD, changed, configs=NET)).complete
    # And back.
    assert run(make_survey(ONE_FOLD, configs=NET)).complete


@pytest.mark.parametrize("there", [False, True])
def test_a_survey_that_is_refused_leaves_no_folder(make_survey: MakeSurvey, tmp_path: Path, there: bool):
    if there:
        (tmp_path / "surveys").mkdir()
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UserError, match="no fold 7"):
        open_survey(make_survey("folds: [7]"), SurveyOptions())
    assert [path for path in sorted(tmp_path.iterdir()) if path.name != "my.yaml"] == before
    assert not there or list((tmp_path / "surveys").iterdir()) == []
