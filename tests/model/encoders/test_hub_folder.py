"""Folders of the Hub: code that they name is not run, parts of weights that are missing, folders of other models."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from audiosurvey.errors import UserError
from audiosurvey.model.encoders.hub_folder import is_encoder_folder, is_folder, read_settings, weights_folder
from audiosurvey.model.encoders.kinds import new_model
from audiosurvey.model.weights.hub_checkpoint import read_encoder

hf = pytest.importorskip("transformers")
huggingface_hub = pytest.importorskip("huggingface_hub")
Folder = Callable[[str], Path]

FOREIGN = {
    "attn_implementation": "user/attention",
    "_attn_implementation": "user/attention",
    "_experts_implementation": "user/experts",
    "quantization_config": {"quant_method": "gptq", "bits": 4},
    "auto_map": {"AutoModel": "user/model--modeling.Model"},
}


@pytest.fixture
def copied(hub_folder: Folder, tmp_path: Path) -> Folder:
    return lambda family: Path(shutil.copytree(hub_folder(family), tmp_path / family))


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize("family", ["ast", "whisper", "clap", "hubert"])
def test_code_that_a_config_names_is_not_loaded(family: str, copied: Folder) -> None:
    folder = copied(family)
    clean, (expected, _) = read_settings(str(folder))[0], read_encoder(folder)
    change(folder / "config.json", **FOREIGN)
    if family == "clap":
        stored = json.loads((folder / "config.json").read_text())
        change(folder / "config.json", audio_config=stored["audio_config"] | FOREIGN)
    assert read_settings(str(folder))[0] == clean
    found, _ = read_encoder(folder)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("family", ["ast", "clap", "wavlm"])
def test_code_that_a_stored_architecture_names_is_not_loaded(family: str, hub_folder: Folder) -> None:
    architecture, _ = read_settings(str(hub_folder(family)))
    model = new_model({**architecture, **FOREIGN})
    assert "user" not in str(model.config._attn_implementation)
    assert not hasattr(model.config, "quantization_config")


@pytest.fixture
def sharded(hub_folder: Folder, tmp_path: Path) -> Path:
    folder = tmp_path / "sharded"
    shutil.copytree(hub_folder("ast"), folder, ignore=shutil.ignore_patterns("*.safetensors"))
    model = hf.ASTForAudioClassification.from_pretrained(hub_folder("ast"))
    model.save_pretrained(folder, max_shard_size="20KB")
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    return folder


def test_weights_in_parts(sharded: Path, hub_folder: Folder) -> None:
    found, expected = read_encoder(sharded)[0], read_encoder(hub_folder("ast"))[0]
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    lost = sorted(sharded.glob("model-*.safetensors"))[-1]
    lost.unlink()
    with pytest.raises(UserError, match=rf": no {lost.name} in this folder; copy it there"):
        read_encoder(sharded)
    (sharded / "model.safetensors.index.json").unlink()
    with pytest.raises(UserError, match=r": no model\.safetensors in this folder"):
        read_encoder(sharded)
    (sharded / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(UserError, match="names no files of weights"):
        read_encoder(sharded)


def test_an_interrupted_download_is_completed(sharded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "cache"
    last = sorted(sharded.glob("model-*.safetensors"))[-1].name
    shutil.copytree(sharded, cache, ignore=shutil.ignore_patterns(last))

    def snapshot(hub: str, *, allow_patterns: list[str], local_files_only: bool) -> str:
        if not local_files_only:
            shutil.copy(sharded / last, cache)
        return str(cache)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    assert weights_folder("hub:user/name") == cache
    assert (cache / last).is_file()


def test_folders_of_other_models_are_not_encoders(hub_folder: Folder, tmp_path: Path) -> None:
    assert is_encoder_folder(hub_folder("clap"))
    assert is_encoder_folder(hub_folder("whisper"))
    for model_type in ("ced", "bert", ["ast"], None):
        (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
        assert not is_encoder_folder(tmp_path)


def test_the_home_of_no_user_is_no_folder() -> None:
    assert not is_folder("~no-such-user/encoder")
    with pytest.raises(UserError, match="no such folder"):
        read_settings("~no-such-user/encoder")
