"""`model: {init: MODEL}` alone: network, front end and sample rate are those of the model, and the user is told."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from own_weights import BLOCKS, ours

from audiosurvey.config.loader import LoadedConfig, load_text
from audiosurvey.config.presets import preset_document
from audiosurvey.config.resolved import plain
from audiosurvey.errors import UserError

OTHER_BLOCKS = "[{conv_block: {channels: 8}}, {pooling: {mode: avg}}]"
FRONT = {"win_length": 0.025, "hop_length": 0.012, "n_mels": 32, "f_min": 50, "compression": "db"}


@pytest.fixture
def model(artefact: Callable[..., Path]) -> Path:
    return artefact(ours(), _config())


def _config(**of_model: Any) -> str:
    """A resolved config, as far as it matters here."""
    section = {"blocks": BLOCKS, "initial": "fan_out", "views": 2, "res_block": {"activation": "elu"}, **of_model}
    return yaml.safe_dump({"sample_rate": 16_000, "mel_spectrogram": FRONT, "model": section})


def _load(model: Path, text: str = "", *overrides: str) -> LoadedConfig:
    return load_text(f"seed: 3\n{text}\nmodel:\n  init: {model.as_posix()}\n", "my.yaml", overrides)


def test_network_front_end_and_rate_are_those_of_the_model(model: Path) -> None:
    loaded = _load(model)
    config = loaded.config
    expected = load_text(_config(), "model.yaml").config
    assert config.model.network_blocks() == expected.model.network_blocks()
    assert (config.model.views, config.model.initial) == (2, "fan_out")
    assert config.model.res_block.activation == "elu"
    assert (config.sample_rate, config.mel_spectrogram) == (16_000, expected.mel_spectrogram)
    assert loaded.warnings == ()
    path = model.as_posix()
    assert loaded.notes == (
        f"my.yaml:4: model.init: network of 7 blocks, sample rate of 16000 Hz, mel spectrogram of {path}",
    )


def test_the_resolved_config_does_not_need_the_model_for_its_network(model: Path) -> None:
    """As in a run folder: the model may be trained anew, or moved, and the run is still the same experiment."""
    loaded = _load(model)
    (model / "config.yaml").unlink()
    again = load_text(loaded.resolved_yaml(), "config.yaml")
    assert again.config == loaded.config
    assert again.notes == ()


def test_given_keys_win(model: Path) -> None:
    loaded = _load(model, "mel_spectrogram: {n_mels: 32, hop_length: 0.012}", "model.views=3", "model.freeze=body")
    assert loaded.config.model.views == 3
    assert loaded.config.mel_spectrogram.f_min == 50
    (note,) = loaded.notes
    assert "network of 7 blocks (with the views given here)" in note
    assert "mel_spectrogram.f_min" in note
    assert "n_mels" not in note


@pytest.mark.parametrize(
    ("override", "faults"),
    [
        ("sample_rate=8000", ["--set sample_rate: 8000, the weights of "]),
        ("mel_spectrogram.n_mels=64", ["--set mel_spectrogram.n_mels: 64, the weights of "]),
        (f"model.blocks={OTHER_BLOCKS}", ["my.yaml:4: model.init: "]),
        ("model.preset=tiny", ["my.yaml:4: model.init: "]),
        ("model.members=2", ["my.yaml:4: model.init: "]),
    ],
)
def test_given_keys_that_the_weights_do_not_fit_are_one_line(model: Path, override: str, faults: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        _load(model, "", override)
    assert len(caught.value.lines) == len(faults)
    assert all(line.startswith(fault) for line, fault in zip(caught.value.lines, faults, strict=True))
    if override.startswith(("model.blocks", "model.preset")):
        assert "leave model.blocks, preset and res_block out" in caught.value.lines[0]


def test_an_ensemble_is_taken_as_one(artefact: Callable[..., Path]) -> None:
    text = "model: {members: 2, blocks: [{conv_block: {channels: 4}}, {pooling: {mode: avg}}]}"
    expected = load_text(text, "model.yaml").config
    from audiosurvey.config.network import network_of

    section = plain(expected.model)
    tensors = network_of(expected, 5).state_dict()
    config = {"sample_rate": expected.sample_rate, "mel_spectrogram": plain(expected.mel_spectrogram), "model": section}
    loaded = _load(artefact(tensors, yaml.safe_dump(config)))
    assert loaded.config.model.members == 2
    assert loaded.config.model.network_blocks() == expected.model.network_blocks()


def test_a_config_beside_the_weights_that_is_not_of_a_model_gives_no_network(artefact: Callable[..., Path]) -> None:
    """Weights that were copied beside a config of one's own, which has no blocks."""
    folder = artefact(ours(), yaml.safe_dump({"sample_rate": 16_000, "mel_spectrogram": FRONT}))
    with pytest.raises(UserError, match="they are from another network") as caught:
        _load(folder)
    assert "leave model.blocks" not in caught.value.lines[0]


def test_published_weights_give_their_front_end_alone() -> None:
    loaded = load_text("model: {preset: mn10, init: efficientat/mn10_as}\n", "my.yaml")
    assert loaded.notes == ()
    assert loaded.config.sample_rate == preset_document("mn10").data["sample_rate"]


def test_a_damaged_config_of_a_model_is_one_line(artefact: Callable[..., Path]) -> None:
    bad = _config(blocks=[{"conv_blok": 3}])
    with pytest.raises(UserError, match="is not the config of a model; copy the whole folder again") as caught:
        _load(artefact(ours(), bad))
    assert len(caught.value.lines) == 1
