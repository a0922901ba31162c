"""Cells whose files are damaged are set aside and trained again; everything that reads them says what to do."""

import json
import shutil
from pathlib import Path

import pytest
from small_survey import MakeSurvey, results_of

from audiosurvey import compare
from audiosurvey.errors import UserError
from audiosurvey.surveys.listener import SurveyListener
from audiosurvey.surveys.shard import Shard
from audiosurvey.surveys.status import survey_status
from audiosurvey.surveys.survey import SurveyOptions, open_survey

NET = "configs: [net.yaml]"


class Said(SurveyListener):
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.trained: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)

    def ended(self, cell, outcome) -> None:
        self.trained.append(cell.id)


def run(path: Path, **options) -> Said:
    listener = Said()
    open_survey(path, SurveyOptions(Path("s"), **options)).train(listener)
    return listener


def cell_of(fold: int) -> Path:
    return Path("s/cells") / json.loads(Path("s/runs/net-seed0/row.json").read_text())["cells"][str(fold)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("result.json", ""),
        ("result.json", "{}"),
        ("result.json", '{"folds": [], "multi_label": false}'),
        ("result.json", "[1]"),
        ("predictions.csv", ""),
        ("predictions.csv", None),
        ("predictions.csv", "clip,source,fold,label,predicted\n"),
    ],
)
@pytest.mark.parametrize("linked", [True, False])
def test_a_damaged_cell_is_trained_again(make_survey: MakeSurvey, name: str, text: str | None, linked: bool):
    """`linked`: the file in the run is the same, and damaged too."""
    path = make_survey(configs=NET)
    run(path)
    before, cell = results_of(Path("s")), cell_of(2)
    if text is None or not linked:
        (cell / name).unlink()
    if text is not None:
        (cell / name).write_text(text)
    if name == "result.json":
        with pytest.raises(UserError, match=r"result.json: damaged, .*; 'audiosurvey survey' sets it aside"):
            survey_status(Path("s"))
    again = run(path)
    assert again.trained == [cell.name]
    assert again.lines[0].startswith(f"{cell.as_posix()}/{name}: ")
    assert again.lines[0].endswith(f"; moved to s/replaced/{cell.name}-damaged, and trained again")
    assert results_of(Path("s")) == before
    assert [one["model"] for one in compare("s")] == ["net"]
    assert run(path).trained == []


def test_a_shard_goes_on_beside_a_damaged_cell_of_another(make_survey: MakeSurvey):
    path = make_survey(configs=NET)
    run(path, shard=Shard(2, 3))
    (cell,) = Path("s/cells").iterdir()
    (cell / "result.json").write_text("")
    again = run(path, shard=Shard(1, 3))
    assert (len(again.trained), cell.name in again.trained) == (1, False)
    assert again.lines[0].endswith(f"; moved to s/replaced/{cell.name}-damaged, and trained again")
    assert len(run(path).trained) == 2
    assert [one["model"] for one in compare("s")] == ["net"]


def test_the_advice_on_a_damaged_run_leads_out_of_it(make_survey: MakeSurvey):
    """The files of a run are links to those of its cell: removing the run changes nothing."""
    path = make_survey(configs=NET)
    run(path)
    result = cell_of(2) / "result.json"
    stored = json.loads(result.read_text())
    stored["classes"] = 3
    result.write_text(json.dumps(stored))
    with pytest.raises(UserError) as error:
        compare("s")
    assert error.value.lines[0].endswith(
        f"remove {cell_of(2).as_posix()}, and run the survey again, which trains this fold again"
    )
    shutil.rmtree(cell_of(2))
    run(path)
    assert [one["model"] for one in compare("s")] == ["net"]


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("config.yaml", True),
        ("environment.json", True),
        ("fold-2/predictions.csv", True),
        ("fold-2/predictions.csv", False),
        ("fold-2/result.json", False),
    ],
)
def test_files_of_a_copied_survey_are_made_again_from_its_cells(make_survey: MakeSurvey, name: str, missing: bool):
    """In a copy they are no links."""
    run(make_survey(configs=NET))
    shutil.copytree("s", "copy")
    file = Path("copy/runs/net-seed0") / name
    before = file.read_bytes()
    file.unlink()
    if not missing:
        file.write_bytes(before[: len(before) // 2])
    opened = open_survey(Path("copy"), SurveyOptions())
    opened.train(listener := Said())
    assert listener.trained == []
    assert file.read_bytes() == before
    assert [one["model"] for one in compare("copy")] == ["net"]


def test_models_that_were_not_kept_are_told(make_survey: MakeSurvey):
    run(make_survey("folds: [1, 2]", configs=NET))
    more = make_survey("keep: model", configs=NET)
    (line,) = open_survey(more, SurveyOptions(Path("s"))).notes
    first, second = sorted(path.name for path in Path("s/cells").iterdir())
    assert line == (
        "keep: model: 2 of 3 cells were trained without it and have no model; "
        f"to train them again, remove their folders from s/cells (those without a folder model, {first}, {second})"
    )
    assert run(more).lines == [line]
    for path in (first, second):
        shutil.rmtree(Path("s/cells") / path)
    assert run(more).lines == []
    assert len(list(Path("s/cells").glob("*/model"))) == 3
