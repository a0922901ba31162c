"""What lies beside the weights of a model: whether they were changed, and the clips behind them."""

import json
from pathlib import Path

import pytest
import torch

from audiosurvey.artefact.weights_source import check_unchanged, licence_of, provenance_of
from audiosurvey.data.splits.provenance import Provenance, TrainedClip
from audiosurvey.errors import UserError
from audiosurvey.model.weights.weightfile import sha256
from audiosurvey.tensorfile import save_tensors

TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.count": torch.tensor(4)}


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    save_tensors(tmp_path / "weights.safetensors", TENSORS)
    return tmp_path / "weights.safetensors"


def test_weights_that_were_changed(weights: Path) -> None:
    check_unchanged(weights)
    facts = {"sha256": {"weights.safetensors": sha256(weights)}}
    weights.with_name("model.json").write_text(json.dumps(facts))
    check_unchanged(weights)
    save_tensors(weights, TENSORS | {"a.count": torch.tensor(5)})
    with pytest.raises(UserError, match="was changed"):
        check_unchanged(weights)
    weights.with_name("model.json").write_text("[]")
    with pytest.raises(UserError, match="copy the whole folder again"):
        check_unchanged(weights)


def test_what_lies_beside_the_weights(weights: Path) -> None:
    assert provenance_of(weights) == Provenance({})
    assert licence_of(weights) is None
    weights.with_name("trained_on.json").write_text('{"a.wav": "12"}')
    weights.with_name("model.json").write_text('{"licence": {"weights": "CC0"}}')
    assert provenance_of(weights) == Provenance({"a.wav": TrainedClip("12")})
    assert licence_of(weights) == "CC0"
    weights.with_name("trained_on.json").write_text("[")
    with pytest.raises(UserError, match="copy the whole folder again"):
        provenance_of(weights)
