"""Weights of `model.init` beside a config: their front end, where it is known, and faults at their key."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from own_weights import BLOCKS, network, ours

from audiosurvey.config.init_weights import fit_faults, front_end_of, hearing_faults
from audiosurvey.config.loader import load_config
from audiosurvey.errors import UserError
from audiosurvey.features.mel import MelConfig

FRONT = "{win_length: 0.025, hop_length: 0.01, n_mels: 32, f_min: 50, compression: db}"


def test_the_front_end_of_a_model_of_ours(artefact: Callable[..., Path]) -> None:
    folder = str(artefact(ours(), f"sample_rate: 16000\nmel_spectrogram: {FRONT}\n"))
    trained = front_end_of(folder)
    assert trained is not None
    assert trained.sample_rate == 16_000
    assert trained.mel == MelConfig(n_mels=32, f_min=50, compression="db", win_length=0.025)
    assert trained.mel is not None
    (fault,) = hearing_faults(folder, 16_000, trained.mel.model_copy(update={"n_mels": 64}))
    assert fault.dotted == "mel_spectrogram.n_mels"
    assert fault.message.startswith("64, the weights of ")
    assert hearing_faults(folder, 16_000, trained.mel) == []
    assert fit_faults(folder, network()) == []


def test_faults_of_the_weights_stand_at_their_key(artefact: Callable[..., Path], tmp_path: Path) -> None:
    folder = str(artefact(ours()))
    assert hearing_faults(folder, 1, MelConfig()) == []
    (fault,) = fit_faults(folder, network(BLOCKS[:5]))
    assert fault.dotted == "model.init"
    assert "has no place" in fault.message
    (tmp_path / "notes.pt").write_text("not weights")
    (fault,) = hearing_faults(str(tmp_path / "notes.pt"), 1, MelConfig())
    assert fault.dotted == "model.init"
    (fault,) = hearing_faults("efficientat/mn4_as", 1, MelConfig())
    assert "did you mean efficientat/mn" in fault.message


@pytest.mark.parametrize(
    ("name", "other"),
    [("efficientat/mn10_as", {}), ("efficientat/mn10_as_hop_15", {"hop_length": 0.015}), ("panns/cnn14", None)],
)
def test_what_named_weights_hear_is_known_without_them(name: str, other: dict[str, Any] | None) -> None:
    trained = front_end_of(name)
    assert trained is not None
    preset = load_config(name.split("/")[1].split("_")[0]).config
    assert trained.sample_rate == preset.sample_rate
    if other is not None:
        assert trained.mel == preset.mel_spectrogram.model_copy(update=other)
    assert hearing_faults(name, preset.sample_rate, trained.mel) == []
    assert fit_faults(name, network()) == []


def test_of_a_file_that_is_not_here_nothing_is_said() -> None:
    assert front_end_of("somewhere/else.pt") is None
    assert hearing_faults("somewhere/else.pt", 1, MelConfig()) == []
    assert fit_faults("somewhere/else.pt", network()) == []


def test_the_front_end_in_the_config_beside_the_weights(artefact: Callable[..., Path]) -> None:
    assert front_end_of(str(artefact(ours()))) is None
    found = front_end_of(str(artefact(ours(), "sample_rate: 8000\nmel_spectrogram: {n_mels: 8}\n")))
    assert found is not None
    assert found.mel is not None
    assert (found.sample_rate, found.mel.n_mels) == (8000, 8)
    text = "sample_rate: 8000\nmel_spectrogram: {compression: db, power: 1}\naugmentation: {}\n"
    of_an_earlier_version = front_end_of(str(artefact(ours(), text)))
    assert of_an_earlier_version is not None
    assert of_an_earlier_version.mel is not None
    assert of_an_earlier_version.mel.floor_db == -200
    with pytest.raises(UserError, match="not the config of a model"):
        front_end_of(str(artefact(ours(), "sample_rate: [")))
