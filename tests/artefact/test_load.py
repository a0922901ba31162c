"""The models in a folder: found, named by what tells them apart, loaded when asked for."""

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from audiosurvey.artefact import load as load_module
from audiosurvey.artefact.classifier import Classifier
from audiosurvey.artefact.load import ModelLibrary, find_models
from audiosurvey.errors import UserError


def test_a_run_offers_its_folds_in_order(finished_run: Path):
    shelf = ModelLibrary(finished_run)
    assert shelf.names == ["fold-1", "fold-2", "fold-3"]
    assert shelf["fold-2"].facts["about"]["fold"] == 2
    assert shelf["fold-2"] is shelf["fold-2"]


def test_a_model_alone_goes_by_the_name_of_its_folder(finished_run: Path):
    assert ModelLibrary(finished_run / "fold-1" / "model").names == ["model"]
    assert ModelLibrary(finished_run / "fold-1").names == ["fold-1"]


def test_names_are_in_natural_order_and_exported_files_count(tmp_path: Path):
    for place in ("fold-10/model", "fold-2/model", ".hidden/model", "a/b/c/d/e/too-deep"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "model.json").touch()
    (tmp_path / "fold-2" / "model" / "model.onnx").touch()
    (tmp_path / "notes.txt").touch()
    assert list(find_models(tmp_path)) == ["fold-2", "fold-2/model.onnx", "fold-10"]


def test_no_model_is_a_mistake_of_one_line(tmp_path: Path):
    with pytest.raises(UserError, match=r"no model in it; expected a model\.json or an exported file"):
        ModelLibrary(tmp_path)


def test_one_broken_model_leaves_the_others_usable(finished_run: Path, tmp_path: Path):
    for fold in ("fold-1", "fold-2"):
        shutil.copytree(finished_run / fold / "model", tmp_path / fold / "model")
    (tmp_path / "fold-1" / "model" / "weights.safetensors").unlink()
    shelf = ModelLibrary(tmp_path)
    with pytest.raises(UserError, match=r"weights\.safetensors is missing"):
        shelf["fold-1"]
    assert shelf["fold-2"].labels == ["high", "low", "mid", "noise"]
    assert shelf.first_usable() == "fold-2"
    with pytest.raises(UserError, match="no such model here; there are fold-1, fold-2"):
        shelf["../elsewhere"]
    (tmp_path / "fold-2" / "model" / "config.yaml").unlink()
    with pytest.raises(UserError, match=r"fold-1.*weights\.safetensors is missing"):
        ModelLibrary(tmp_path).first_usable()


def test_a_model_that_loads_slowly_keeps_nobody_else_waiting(finished_run: Path, monkeypatch: pytest.MonkeyPatch):
    shelf, begun, go_on, loads = ModelLibrary(finished_run), threading.Event(), threading.Event(), []
    load = load_module.load

    def slow(path: Path, **how: bool) -> Classifier:
        loads.append(path)
        if "fold-1" in str(path):
            begun.set()
            assert go_on.wait(60)
        return load(path, **how)

    monkeypatch.setattr(load_module, "load", slow)
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(shelf.__getitem__, "fold-1") for _ in range(2)]
        assert begun.wait(60)
        assert shelf["fold-2"].facts["about"]["folds"] == [2]
        go_on.set()
        first, second = (one.result(60) for one in waiting)
    assert first is second
    assert len(loads) == 2


def test_memory_holds_the_models_used_last(finished_run: Path, tmp_path: Path):
    for number in range(6):
        shutil.copytree(finished_run / "fold-1" / "model", tmp_path / f"m{number}")
    shelf = ModelLibrary(tmp_path)
    first = shelf["m0"]
    for number in range(1, 4):
        shelf[f"m{number}"]
    assert shelf["m0"] is first
    shelf["m4"]
    assert shelf["m0"] is first
    for number in range(1, 5):
        shelf[f"m{number}"]
    assert shelf["m0"] is not first


def test_the_final_model_of_a_run_comes_first_and_is_called_so(final_run: Path, tmp_path: Path):
    assert ModelLibrary(final_run).names == ["final model", "fold-1", "fold-2", "fold-3"]
    assert ModelLibrary(final_run).first_usable() == "final model"
    assert ModelLibrary(final_run)["final model"].facts["about"]["fold"] is None
    shutil.copytree(final_run, tmp_path / "runs" / "a")
    (tmp_path / "runs" / "a" / "model" / "model.onnx").touch()
    found = list(find_models(tmp_path / "runs"))
    assert found[:2] == ["a/final model", "a/fold-1"]
    assert "a/final model/model.onnx" in found
    assert ModelLibrary(final_run / "model").names == ["model"]
