"""The page of a run: what is on it, what is missing from it, and that names on it are text."""

import html
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audiosurvey.analysis.suspects import find_suspects
from audiosurvey.comparison.stats.significance import corrected_t
from audiosurvey.errors import ArgumentError, UserError
from audiosurvey.reporting.page import writing
from audiosurvey.reporting.page.material import gather
from audiosurvey.reporting.page.run_page import run_page
from audiosurvey.reporting.page.target import ReportOptions
from audiosurvey.reporting.page.writing import write_report as report
from audiosurvey.runs.listener import no_bar
from audiosurvey.runs.results.class_scores import worst_first
from audiosurvey.runs.results.results import RunResults
from audiosurvey.runs.results.run_folder import RunFolder

SECTIONS = ["folds", "curves", "classes", "confusion", "reliability", "mistakes", "suspects", "audit", "robustness"]
SECTIONS += ["augmentation", "costs", "config", "reproduce"]


def made(run: Path, *, audio: bool = True) -> str:
    return report(run, None, ReportOptions(audio=audio)).path.read_text(encoding="utf-8")


def results_of(run: Path) -> RunResults:
    found = RunFolder(run).read_results()
    assert found is not None
    return found


def island(page: str, name: str) -> Any:
    found = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def words(page: str) -> str:
    """The text of a page without tags, scripts and styles."""
    bare = re.sub(r"<(script|style).*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", bare)).split())


def test_every_section_is_there_and_linked(run_copy: Path):
    page = made(run_copy)
    assert re.findall(r'<h2 id="([a-z]+)">', page) == SECTIONS
    assert re.findall(r'<a href="#([a-z]+)">', page) == SECTIONS
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)
    assert "default-src 'none'" in page


def test_the_command_trains_the_run_again(run_copy: Path):
    assert f'aria-label="Command">audiosurvey reproduce {run_copy.as_posix()}</pre>' in made(run_copy, audio=False)


def test_the_headline_is_the_corrected_interval(run_copy: Path):
    results = results_of(run_copy)
    values = [row.accuracy for row in results.folds]
    found = corrected_t(np.array(values), np.mean([row.clips / row.train_clips for row in results.folds]))
    said = words(made(run_copy, audio=False))
    assert f"{np.mean(values):.3f} accuracy, 3 folds" in said
    assert f"95 % interval {max(found.low, 0):.3f} to {min(found.high, 1):.3f}: mean over 3 folds" in said
    assert "own folds; there is no official protocol for this data" in said


def test_classes_have_precision_f1_ap_and_auroc(run_copy: Path):
    results = results_of(run_copy)
    page = made(run_copy, audio=False)
    table = page[page.index('aria-label="Classes"') : page.index('id="confusion"')]
    assert re.findall(r"<button type=\"button\">(\w+)</button>", table)[3:] == [
        "recall",
        "precision",
        "F1",
        "AP",
        "AUROC",
    ]
    values = [re.findall(r'<td class="n"[^>]*>([\d.–]+)</td>', row)[-4:] for row in table.split("<tr>")[2:]]
    shown = [
        (one.precision, one.f1, one.average_precision, one.auroc)
        for _, one in worst_first(results.by_class, multi_label=False)
    ]
    assert values == [["–" if value is None else f"{value:.3f}" for value in row] for row in shown]


def test_results_without_scores_of_classes_show_what_the_confusion_matrix_tells(run_copy: Path):
    results = results_of(run_copy)
    earlier = results.changed(by_class={}, folds=[row.changed(by_class={}) for row in results.folds])
    page = run_page(replace(gather(RunFolder(run_copy), no_bar), results=earlier), audio=False)
    table = page[page.index('aria-label="Classes"') : page.index('id="confusion"')]
    assert re.findall(r"<button type=\"button\">(\w+)</button>", table)[3:] == ["recall", "precision", "F1"]


def test_mistakes_have_sounds_and_what_the_model_attended_to(run_copy: Path):
    page = made(run_copy)
    mistakes = len(re.findall(r'<article class="card mistake"', page))
    assert mistakes > 0
    assert len(re.findall(r'class="shade"', page)) == mistakes
    assert len(re.findall(r"nearest training clip of", page)) >= mistakes
    numbers = {int(number) for number in re.findall(r'data-sound="(\d+)"', page)}
    sounds = island(page, "page-sounds")
    assert numbers <= set(range(len(sounds)))
    assert all(re.match("data:audio/(mpeg|wav);base64,", sound) for sound in sounds)
    assert "epoch 1 : noise (snr_db" in words(page)


def test_cells_list_their_clips(run_copy: Path):
    page = made(run_copy)
    data = island(page, "page-data")
    confusion = np.array(results_of(run_copy).confusion)
    found = np.zeros_like(confusion)
    for clip in data["clips"]:
        found[clip[3], clip[4]] += 1
    np.testing.assert_array_equal(found, confusion)
    buttons = re.findall(r'<td class="(?:hit|miss)".*?data-true="(\d)" data-predicted="(\d)".*?>(\d+)</button>', page)
    assert {(int(i), int(j)): int(n) for i, j, n in buttons} == {
        (i, j): confusion[i, j] for i, j in zip(*np.nonzero(confusion), strict=True)
    }


def test_names_are_text(run_copy: Path):
    page = made(run_copy)
    for tag in ("<script>alert", "<img src=x", 'onerror=alert(2)>"'):
        assert tag not in page
    said = words(page)
    for name in ("<script>alert(1)<", "$x$ {{ 7 * 7 }}", "Fledermäuse 音 & co"):
        assert name in said
    assert island(page, "page-data")["classes"] == sorted(results_of(run_copy).classes)


def test_areas_that_scroll_are_reached_by_keyboard(run_copy: Path, robustness_json: Path):
    shutil.copy(robustness_json, run_copy / "analysis/robustness.json")
    areas = re.findall(r'<div class="scroll[^>]*>', made(run_copy, audio=False))
    assert len(areas) >= 6
    names = [re.findall('tabindex="0" role="region" aria-label="(.+?)"', area) for area in areas]
    assert all(len(name) == 1 for name in names)
    assert len({name for (name,) in names}) == len(areas)


def test_folds_sort_by_number(run_copy: Path):
    assert "1 clips of" not in made(run_copy, audio=False)
    results = results_of(run_copy)
    rows = [row.changed(chosen_epoch=1, epochs=12, accuracy=None) for row in results.folds]
    material = replace(gather(RunFolder(run_copy), no_bar), results=results.changed(folds=rows))
    page = run_page(material, audio=False)
    assert page.count('<td class="n" data-value="1">1 of 12</td>') == len(rows)
    assert '<td class="n" data-value="">–</td>' in page


def test_without_sounds_there_are_no_players(run_copy: Path):
    page = made(run_copy, audio=False)
    assert island(page, "page-sounds") == []
    assert "<audio" not in page
    # Pictures stay.
    assert 'class="shade"' in page
    assert len(page) < len(made(run_copy))


def test_without_models_the_rest_is_there(run_copy: Path):
    for fold in (1, 2, 3):
        shutil.rmtree(run_copy / f"fold-{fold}" / "model")
    found = report(run_copy)
    page = found.path.read_text(encoding="utf-8")
    (line,) = found.absent
    assert "the run keeps no model of folds 1, 2, 3: what models attended to and the nearest training clips" in line
    assert f"What the models attended to is missing: {line}" in words(page)
    assert 'class="shade"' not in page
    assert "dim what the model did not attend to" not in page
    assert "that the model attended to" not in page
    assert "<audio" in page
    mistakes = re.findall(r'<article class="card mistake".*?</article>', page, re.DOTALL)
    assert mistakes
    assert all(re.search(r'<img alt="Mel spectrogram of [^"]*" src="data:image/png', one) for one in mistakes)


def test_without_data_the_rest_is_there(run_copy: Path):
    config = run_copy / "config.yaml"
    text = re.sub(r"root: .*", "root: /nowhere", config.read_text(encoding="utf-8"))
    config.write_text(text, encoding="utf-8")
    found = report(run_copy)
    page = found.path.read_text(encoding="utf-8")
    (line,) = found.absent
    assert "/nowhere" in line
    assert f"Sounds and spectrograms are missing: {line}" in words(page)
    assert "<audio" not in page
    assert '<article class="card mistake"' in page
    assert '<button type="button" data-true' in page


def test_results_alone_are_enough(finished_run: Path, tmp_path: Path):
    shutil.copy(finished_run / "results.json", tmp_path)
    found = report(tmp_path)
    page = found.path.read_text(encoding="utf-8")
    said = words(page)
    assert "accuracy, 3 folds" in said
    assert "Missing, because there are no predictions" in said
    assert "config.yaml: is missing" in said
    assert '<button type="button" data-true' not in page


def test_several_labels_have_average_precision(tones: Path, tmp_path: Path, train_tiny: Callable[..., Any]):
    labels = {"low": "low", "mid": "mid|low", "high": "other", "noise": ""}
    files = [(f"{tones.as_posix()}/{name}/{n}.wav", label, n) for name, label in labels.items() for n in range(6)]
    rows = [f"{path},{label},{n % 2 + 1}" for path, label, n in files]
    (tmp_path / "table.csv").write_text("\n".join(["path,label,fold", *rows]), encoding="utf-8")
    dataset = f"{{name: csv, table: '{(tmp_path / 'table.csv').as_posix()}', clip_seconds: 0.5, multi_label: true}}"
    train_tiny(tmp_path / "run", f"dataset={dataset}")
    page = made(tmp_path / "run")
    said = words(page)
    results = results_of(tmp_path / "run")
    assert f"{results.mean['map']:.3f} mAP, 2 folds" in said
    assert "Average precision of each class" in said
    found = find_suspects(RunFolder(tmp_path / "run"))
    clips = len({one.clip for one in found.suspects})
    assert f"{len(found.suspects)} labels of {clips} of 24 clips" in said
    assert "Clips without a score of at least 0.5 are left out" in said or "None: no test clip has" in said
    assert 'id="confusion"' not in page


@pytest.mark.parametrize("make", [lambda folder: None, lambda folder: folder.mkdir(), lambda folder: folder.touch()])
def test_what_is_no_run_is_refused(make: Callable[[Path], None], tmp_path: Path):
    make(tmp_path / "run")
    with pytest.raises(UserError, match=r"give (a run folder|the folder of a run)") as caught:
        report(tmp_path / "run")
    assert len(caught.value.lines) == 1
    assert not (tmp_path / "run" / "report.html").exists()


def test_a_file_is_replaced_only_by_force(finished_run: Path, tmp_path: Path):
    shutil.copy(finished_run / "results.json", tmp_path)
    other = tmp_path / "other.html"
    other.write_text("mine", encoding="utf-8")
    with pytest.raises(UserError, match="already exists"):
        report(tmp_path, other)
    assert other.read_text(encoding="utf-8") == "mine"
    assert report(tmp_path, other, ReportOptions(force=True)).path == other
    # That of the run's own folder is made again.
    assert report(tmp_path).size == report(tmp_path).size


def test_a_page_that_is_too_large_is_refused(run_copy: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(writing, "MOST_BYTES", 1000)
    with pytest.raises(ArgumentError, match="leave the sounds out with audio=False") as caught:
        report(run_copy)
    assert "--no-audio" in caught.value.flag_lines[0]
    with pytest.raises(UserError, match="too many clips or classes"):
        report(run_copy, None, ReportOptions(audio=False))
    assert not (run_copy / "report.html").exists()


def test_files_of_runs_and_surveys_are_never_replaced(run_copy: Path, tmp_path: Path):
    before = (run_copy / "results.json").read_bytes()
    with pytest.raises(UserError, match="lies in the run folder"):
        report(run_copy, run_copy / "results.json", ReportOptions(force=True))
    assert (run_copy / "results.json").read_bytes() == before
    (tmp_path / "survey").mkdir()
    (tmp_path / "survey/survey.yaml").write_text("configs: [tiny]", encoding="utf-8")
    # The survey file of a user may lie anywhere.
    assert report(run_copy, tmp_path / "survey/mine.html").path.is_file()
    (tmp_path / "survey/plan.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UserError, match="lies in the survey folder"):
        report(run_copy, tmp_path / "survey/survey.yaml", ReportOptions(force=True))
    assert (tmp_path / "survey/survey.yaml").read_text(encoding="utf-8") == "configs: [tiny]"


def test_correct_clips_beyond_the_limit_are_told(run_copy: Path, monkeypatch: pytest.MonkeyPatch):
    right = int(np.trace(results_of(run_copy).confusion))
    assert right > 1
    monkeypatch.setattr("audiosurvey.reporting.page.run_page.MOST_RIGHT", 1)
    page = made(run_copy, audio=False)
    listed = [clip for clip in island(page, "page-data")["clips"] if clip[3] == clip[4]]
    assert len(listed) == 1
    assert f"of the correct clips, the {right - 1} with the lowest scores are left out" in words(page)


def test_the_command_writes_a_page(run_copy: Path, command: Callable[..., tuple[int, str, str]]):
    status, out, _ = command("report", run_copy, "--no-audio")
    assert status == 0
    assert re.fullmatch(r"report: .*report\.html \([\d.]+ [kM]B\)\n", out)
    assert (run_copy / "report.html").is_file()
    status, _, err = command("report", run_copy.parent / "nothing")
    assert (status, err.count("\n")) == (2, 1)
