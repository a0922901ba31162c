"""Whether a run still has the model that something was measured with."""

import json
import shutil
from pathlib import Path

import pytest

from audiosurvey.analysis.measured_model import model_digest, still_has
from audiosurvey.errors import UserError
from audiosurvey.runs.results.run_folder import RunFolder


def model_in(folder: Path, digest: object) -> None:
    folder.mkdir(parents=True)
    (folder / "model.json").write_text(json.dumps({"sha256": {"weights.safetensors": digest}}), encoding="utf-8")


def test_models_of_folds_and_the_final_model_are_known_by_their_weights(tmp_path: Path):
    model_in(tmp_path / "fold-2" / "model", "abc")
    model_in(tmp_path / "model", "xyz")
    run = RunFolder(tmp_path)
    assert (model_digest(run, 2), model_digest(run, None), model_digest(run, 1)) == ("abc", "xyz", None)
    assert still_has(run, 2, "abc")
    assert still_has(run, None, "xyz")
    assert not still_has(run, 2, "xyz")


def test_a_model_that_was_not_kept_counts_as_the_one_that_was_measured(tmp_path: Path):
    model_in(tmp_path / "fold-1" / "model", "abc")
    run = RunFolder(tmp_path)
    assert not still_has(run, 1, "other")
    shutil.rmtree(tmp_path / "fold-1")
    assert still_has(run, 1, "other")


@pytest.mark.parametrize("text", ["{}", '{"sha256": []}', '{"sha256": null}', "{", "[]"])
@pytest.mark.parametrize("fold", [1, None])
def test_damaged_facts_are_refused_in_one_line(text: str, fold: int | None, tmp_path: Path):
    folder = tmp_path / ("model" if fold is None else "fold-1/model")
    model_in(folder, "abc")
    (folder / "model.json").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="damaged") as caught:
        model_digest(RunFolder(tmp_path), fold)
    assert len(caught.value.lines) == 1
