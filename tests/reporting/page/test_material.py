"""What is gathered for the page of a run: nothing that belongs to other models or data."""

import shutil
from pathlib import Path

import pytest

from audiosurvey.analysis.suspects import write_suspects as suspects
from audiosurvey.comparison.compare import compare_paths as compare
from audiosurvey.comparison.leaderboard import CompareOptions
from audiosurvey.reporting.page.material import RunMaterial, gather
from audiosurvey.reporting.page.writing import write_report as report
from audiosurvey.runs.evaluation.heldout import fold_split
from audiosurvey.runs.listener import no_bar
from audiosurvey.runs.results.run_folder import RunFolder
from audiosurvey.runs.results.stored import write_json


def gathered(run: Path) -> RunMaterial:
    return gather(RunFolder(run), no_bar)


def test_suspects_are_those_of_all_folds(run_copy: Path):
    found = suspects(run_copy)
    write_json(run_copy / "analysis/suspects.json", found.changed(folds=[1], suspects=[]).as_json())
    assert gathered(run_copy).suspects == found


def test_robustness_of_another_model_is_not_shown(run_copy: Path, robustness_json: Path):
    shutil.copy(robustness_json, run_copy / "analysis/robustness.json")
    found = gathered(run_copy)
    assert found.robustness is not None
    assert "robustness" not in found.absent
    shutil.rmtree(run_copy / "fold-1/model")
    shutil.copytree(run_copy / "fold-2/model", run_copy / "fold-1/model")
    found = gathered(run_copy)
    assert found.robustness is None
    assert "fold 1 was measured with another model" in found.absent["robustness"]


def test_times_of_another_model_are_not_shown(run_copy: Path):
    compare([run_copy], CompareOptions(), timing=True)
    found = gathered(run_copy)
    assert found.timing is not None
    assert f"<td>{found.timing.ms_per_clip:.3g} ms, measured on " in report(run_copy).path.read_text(encoding="utf-8")
    shutil.rmtree(run_copy / "fold-1/model")
    shutil.copytree(run_copy / "fold-2/model", run_copy / "fold-1/model")
    found = gathered(run_copy)
    assert found.timing is None
    assert "timing.json: was measured with another model" in found.absent["timing"]
    assert "Time per clip is missing: " in report(run_copy).path.read_text(encoding="utf-8")


SIDE_FILES = (
    "row.json",
    "environment.json",
    "fold-1/metrics.jsonl",
    "fold-1/model/model.json",
    "analysis/doctor.json",
    "analysis/robustness.json",
    "analysis/timing.json",
    "analysis/nearest.json",
    "analysis/saliency/fold-1.safetensors",
)


@pytest.mark.parametrize("content", [b"{", None])
def test_side_files_that_cannot_be_read_leave_the_rest(run_copy: Path, content: bytes | None):
    for name in SIDE_FILES:
        path = run_copy / name
        path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            # A folder in place of a file cannot be read, also by root.
            path.mkdir()
        else:
            path.write_bytes(content)
    found = report(run_copy)
    page = found.path.read_text(encoding="utf-8")
    assert '<article class="card mistake"' in page
    if content is not None:
        assert any("row.json" in line for line in found.absent)


def test_partners_of_augmented_clips_are_training_clips(run_copy: Path, monkeypatch: pytest.MonkeyPatch):
    given = []
    monkeypatch.setattr(
        "audiosurvey.reporting.page.material.render_clip",
        lambda config, sounds, clip, epoch, partners: given.append({one.id for one in partners}),
    )
    found = gathered(run_copy)
    assert found.config is not None
    assert found.sounds is not None
    split = fold_split(found.config, found.sounds.table, 1)
    assert given
    for ids in given:
        assert ids == {clip.id for clip in split.train}
