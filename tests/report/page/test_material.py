"""What is gathered for the page of a run: nothing that belongs to other models or data."""

import shutil
from pathlib import Path

from audiosurvey.pipeline import suspects
from audiosurvey.report.page.material import RunMaterial, gather
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
