"""The page of a survey: classes of two models, links to runs, and names that are text."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audiosurvey.errors import UserError
from audiosurvey.reporting.page.target import ReportOptions
from audiosurvey.reporting.page.writing import write_report as report
from audiosurvey.runs.results import fold_predictions
from audiosurvey.runs.results.predictions import PredictionTable, read_prediction_table

NAMES = ("</script><b>", "$x$ {{ 7 }}")


@pytest.fixture
def survey(named_run: Path, tmp_path: Path) -> Path:
    """Two rows: a run, and the same with the scores of its first two classes exchanged."""
    folder = tmp_path / "survey"
    for place, name in enumerate(NAMES):
        run = folder / "runs" / f"row{place}-seed0"
        shutil.copytree(named_run, run)
        row = {"name": name, "config": "tiny", "dataset": None, "sweep": {"train.lr": place}, "seed": 0}
        (run / "row.json").write_text(json.dumps(row), encoding="utf-8")
    for file in (folder / "runs" / "row1-seed0").glob("fold-*/predictions.csv"):
        head, *rows = file.read_text(encoding="utf-8").splitlines()
        parts = [row.rsplit(",", 3) for row in rows]
        swapped = [",".join([rest, second, first, third]) for rest, first, second, third in parts]
        file.write_text("\n".join([head.replace("predicted", "was"), *swapped]) + "\n", encoding="utf-8")
    (folder / "survey.yaml").write_text("configs: [tiny]\n", encoding="utf-8")
    (folder / "plan.json").write_text("{}", encoding="utf-8")
    return folder


def data_of(page: str) -> Any:
    found = re.search(r'<script type="application/json" id="page-data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def test_classes_of_each_model(survey: Path):
    page = report(survey).path.read_text(encoding="utf-8")
    (dataset,) = data_of(page)["datasets"]
    results = json.loads((survey / "runs" / "row0-seed0" / "results.json").read_text(encoding="utf-8"))
    first = next(model for model in dataset["models"] if model["name"] == NAMES[0])
    assert dataset["classes"] == results["classes"]
    assert first["scores"] == [pytest.approx(results["recall"][name], abs=1e-4) for name in results["classes"]]
    assert "</script><b>" not in page
    assert "<code>audiosurvey report SURVEY --runs</code>" in page


def test_runs_are_linked_once_they_have_a_page(survey: Path, tmp_path: Path):
    page = report(survey, None, ReportOptions(runs=True)).path.read_text(encoding="utf-8")
    links = re.findall(r'<a href="([^"]+)"', page)
    assert sorted(links) == ["runs/row0-seed0/report.html", "runs/row1-seed0/report.html"]
    assert all((survey / link).is_file() for link in links)
    assert "<audio" not in (survey / links[0]).read_text(encoding="utf-8")
    elsewhere = report(survey, tmp_path / "other.html").path.read_text(encoding="utf-8")
    assert "survey/runs/row0-seed0/report.html" in elsewhere


def test_a_survey_without_runs_is_refused(tmp_path: Path):
    (tmp_path / "survey.yaml").write_text("configs: [tiny]\n", encoding="utf-8")
    (tmp_path / "plan.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UserError, match="run the survey first"):
        report(tmp_path)


def remove_folds(run: Path, *folds: int) -> None:
    """As if these folds had not ended yet."""
    (run / "results.json").unlink(missing_ok=True)
    for fold in folds:
        shutil.rmtree(run / f"fold-{fold}")


def test_predictions_are_read_once(survey: Path, monkeypatch: pytest.MonkeyPatch):
    read: list[Path] = []

    def reading(path: Path) -> PredictionTable:
        read.append(path)
        return read_prediction_table(path)

    monkeypatch.setattr(fold_predictions, "read_prediction_table", reading)
    report(survey)
    assert sorted(read) == sorted(survey.glob("runs/*/fold-*/predictions.csv"))


def test_rows_that_lack_folds_are_left_out_and_named(survey: Path):
    run = survey / "runs" / "row1-seed0"
    remove_folds(run, 2, 3)
    found = report(survey)
    line = f"{run.as_posix()}: no fold 2, 3"
    assert found.absent == (line,)
    page = found.path.read_text(encoding="utf-8")
    assert line in page
    (dataset,) = data_of(page)["datasets"]
    assert [model["name"] for model in dataset["models"]] == [NAMES[0]]


def test_an_incomplete_survey_is_compared_on_some_folds(survey: Path):
    remove_folds(survey / "runs" / "row1-seed0", 2, 3)
    found = report(survey, None, ReportOptions(folds=(1,)))
    assert found.absent == ()
    page = found.path.read_text(encoding="utf-8")
    assert "3 classes, fold 1</h2>" in page
    (dataset,) = data_of(page)["datasets"]
    assert {model["name"] for model in dataset["models"]} == set(NAMES)
    recall = {}
    for place, name in enumerate(NAMES):
        results = json.loads((survey / f"runs/row{place}-seed0/fold-1/result.json").read_text(encoding="utf-8"))
        recall[name] = [pytest.approx(results["recall"][label], abs=1e-4) for label in results["classes"]]
    assert next(model["scores"] for model in dataset["models"] if model["name"] == NAMES[0]) == recall[NAMES[0]]


def test_without_a_complete_row_the_option_is_named(survey: Path, command: Callable[..., tuple[int, str, str]]):
    remove_folds(survey / "runs" / "row0-seed0", 3)
    remove_folds(survey / "runs" / "row1-seed0", 2)
    status, out, err = command("report", survey, "--runs")
    assert (status, out) == (2, "")
    assert err.endswith("no model has all of the folds 1, 2, 3; compare fewer with --folds 1\n")
    assert not list(survey.glob("**/report.html"))
    status, out, err = command("report", survey, "--folds", "1")
    assert (status, err) == (0, "")
    status, _, err = command("report", survey, "--folds", "7")
    assert (status, err) == (2, "--folds: no model has fold 7; there are 1, 2, 3\n")


def test_the_page_of_a_run_shows_all_of_its_folds(survey: Path):
    with pytest.raises(UserError, match="folds: is for surveys"):
        report(survey / "runs" / "row0-seed0", None, ReportOptions(folds=(1,)))
    assert not list(survey.glob("**/report.html"))


def test_two_models_are_compared_in_the_browser(browser: Any, survey: Path):
    page, complaints = browser.new_page(), []
    page.set_viewport_size({"width": 390, "height": 844})
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(report(survey).path.as_uri())
    table = page.locator("table.pair")
    heads = table.locator("th[data-model]").all_inner_texts()
    assert {head.removesuffix(" ↕") for head in heads} == set(NAMES)
    (dataset,) = data_of(page.content())["datasets"]
    one, other = dataset["models"]
    cells = table.locator("tbody tr").first.locator("td").all_inner_texts()
    assert cells[:2] == [f"{100 * one['scores'][0]:.1f}", f"{100 * other['scores'][0]:.1f}"]
    page.locator("select").nth(1).select_option("0")
    assert set(table.locator("tbody td:nth-child(4)").all_inner_texts()) == {"0.0"}
    table.locator("button", has_text="class").click()
    rows = table.locator("tbody th").all_inner_texts()
    assert sorted(rows) == sorted(dataset["classes"])
    page.wait_for_function("document.documentElement.scrollWidth === 390")
    page.close()
    assert complaints == []
