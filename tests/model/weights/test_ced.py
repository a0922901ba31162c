"""CED: parameters as published, checkpoints of both namings, and logits equal to plain functions."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from ced_files import RATE, logits, made, named_as_on_the_hub
from safetensors.torch import save_file

from audiosurvey.config.loader import load_config
from audiosurvey.errors import UserError
from audiosurvey.features.mel import MelFrontEnd
from audiosurvey.model.describe import describe
from audiosurvey.model.families.ced import Patches
from audiosurvey.model.grammar import ModelConfig
from audiosurvey.model.network import Network, build_network
from audiosurvey.model.weights.pretrained import Weights, open_weights

PARAMETERS = {
    "ced-tiny": (192, 5_411_122, 5_503_183),
    "ced-mini": (256, 9_574_066, 9_696_655),
    "ced-small": (384, 21_438_898, 21_622_543),
    "ced-base": (768, 85_344_946, 85_711_759),
}
Tensors = dict[str, torch.Tensor]


def network_of(name: str, classes: int, seconds: float = 1, device: str = "cpu") -> Network:
    config = load_config(name).config
    shape = config.input_shape_of(round(seconds * RATE))
    with torch.device(device):
        return build_network(config.model, input_shape=shape, classes=classes, seed=0).eval()


def scored(network: Network, wave_BS: np.ndarray) -> torch.Tensor:
    front_end = MelFrontEnd(load_config("ced-tiny").config.mel_spectrogram, RATE)
    with torch.no_grad():
        return network(front_end(torch.from_numpy(wave_BS).float()))


def sound(seconds: float, level: float = 0.5) -> np.ndarray:
    """A rising tone over a little noise, with a silent beginning."""
    time_S = np.arange(round(seconds * RATE)) / RATE
    noise = 1e-3 * np.random.default_rng(0).standard_normal(len(time_S))
    return level * (np.sin(2 * np.pi * (300 + 400 * time_S) * time_S) + noise) * (time_S > 0.2)


def saved(tensors: Tensors, path: Path) -> Weights:
    torch.save(tensors, path)
    return open_weights(str(path))


def line(call: Callable[[], object]) -> str:
    with pytest.raises(UserError) as caught:
        call()
    assert len(caught.value.lines) == 1
    return caught.value.lines[0]


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_to_the_last_one(name: str) -> None:
    width, few, many = PARAMETERS[name]
    for classes, count in ((50, few), (527, many)):
        described = describe(network_of(name, classes, 5, "meta"), (1, 501, 64))
        assert described.parameters == count
        assert count == 128 + 257 * width + 67 * width + 12 * (12 * width**2 + 13 * width) + 4 * width + classes * (
            width + 1
        )


@pytest.mark.parametrize("seconds", [1, 5])
def test_logits_of_the_authors_names(ced_file: Path, ced_tensors: Tensors, seconds: float) -> None:
    network = network_of("ced-tiny", 527, seconds)
    report = open_weights(str(ced_file)).put_into(network, keep_classifier=True)
    assert (report.family, report.fresh) == ("CED", [])
    assert set(report.renamed) | set(report.dropped) == set(ced_tensors)
    assert list(report.dropped) == ["front_end.0.spectrogram.window", "front_end.0.mel_scale.fb"]
    # Each clip has its own maximum, whatever stands beside it.
    loud, soft = sound(seconds, 0.9), sound(seconds, 1e-4)[::-1].copy()
    expected = torch.stack([logits(ced_tensors, loud), logits(ced_tensors, soft)])
    found = scored(network, np.stack([loud, soft]))
    assert expected.std() > 0.1
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=5e-5)


def test_logits_of_the_hubs_names(tmp_path: Path, ced_tensors: Tensors) -> None:
    network = network_of("ced-tiny", 527)
    hub = named_as_on_the_hub(ced_tensors)
    report = saved(hub, tmp_path / "hub.pt").put_into(network, keep_classifier=True)
    assert (set(report.renamed), report.dropped, report.fresh) == (set(hub), {}, [])
    found = scored(network, sound(1)[None])[0]
    torch.testing.assert_close(found.double(), logits(ced_tensors, sound(1)), rtol=0, atol=5e-5)


def test_a_folder_of_the_hub(tmp_path: Path, ced_tensors: Tensors) -> None:
    hub = {name: tensor.float().contiguous() for name, tensor in named_as_on_the_hub(ced_tensors).items()}
    save_file(hub, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text('{"model_type": "ced"}')
    weights = open_weights(str(tmp_path))
    assert weights.family.name == "CED"
    assert weights.front_end is not None
    assert set(weights.put_into(network_of("ced-tiny", 527), keep_classifier=True).renamed) == set(hub)
    save_file({"bert.embeddings.weight": torch.zeros(2)}, tmp_path / "model.safetensors")
    with pytest.raises(UserError, match="not weights of a known family"):
        open_weights(str(tmp_path))


def test_positions_are_stretched_for_clips_above_ten_seconds(ced_file: Path, ced_tensors: Tensors) -> None:
    network = network_of("ced-tiny", 527, 12)
    open_weights(str(ced_file)).put_into(network, keep_classifier=True)
    found = scored(network, sound(12)[None])[0]
    torch.testing.assert_close(found.double(), logits(ced_tensors, sound(12)), rtol=0, atol=5e-5)


@pytest.mark.parametrize(("positions", "how"), [(40, "63 positions cut to 40"), (80, "63 positions stretched to 80")])
def test_a_table_of_another_length(ced_file: Path, ced_tensors: Tensors, positions: int, how: str) -> None:
    blocks = [block.model_dump(exclude_unset=True) for block in load_config("ced-tiny").config.model.blocks or []]
    blocks[1] = {"patches": {"channels": 192, "positions": positions}}
    config = ModelConfig.model_validate({"blocks": blocks})
    network = build_network(config, input_shape=(1, 101, 64), classes=3, seed=0)
    report = open_weights(str(ced_file)).put_into(network)
    assert report.resized == {"blocks.1.time_positions": how}
    patches = network.blocks[1]
    assert isinstance(patches, Patches)
    theirs = ced_tensors["time_pos_embed"]
    stretched = F.interpolate(theirs, size=(1, 80), mode="bilinear", align_corners=False)[0, :, 0]
    wanted = theirs[0, :, 0, :40] if positions == 40 else stretched
    torch.testing.assert_close(patches.time_positions.detach(), wanted)


def test_another_number_of_classes_has_a_new_classifier_and_no_more(ced_file: Path) -> None:
    network = network_of("ced-tiny", 50)
    before = network.classifier.weight.clone()
    report = open_weights(str(ced_file)).put_into(network)
    assert report.fresh == ["classifier.weight", "classifier.bias"]
    assert torch.equal(network.classifier.weight, before)
    assert report.renamed["outputlayer.0.weight"] == "blocks.16.weight"


@pytest.mark.parametrize(
    ("name", "tensor", "words"),
    [
        ("front_end.0.spectrogram.window", torch.hann_window(512, periodic=False), "another window than CED's"),
        ("front_end.0.mel_scale.fb", torch.zeros(257, 64), "another mel filter bank than CED's"),
        ("front_end.0.mel_scale.fb", torch.zeros(257, 80), "another mel filter bank than CED's"),
        ("front_end.2.gain", torch.zeros(1), "front_end.2.gain: not a tensor of this family"),
        ("cls_token", torch.zeros(1, 1, 192), "cls_token: not a tensor of this family"),
        ("blocks.3.attn.rel_pos", torch.zeros(2), "blocks.3.attn.rel_pos: not a tensor of this family"),
        ("blocks.12.norm1.weight", torch.zeros(192), "those of 13 attention layers, the network has 12"),
        ("time_pos_embed", torch.zeros(1, 192, 63), "time_pos_embed (1 x 192 x 63): not the positions"),
        ("blocks.0.attn.qkv.weight", torch.zeros(5, 192), "blocks.0.attn.qkv.weight (5 x 192) does not fit"),
    ],
)
def test_anything_else_is_refused_by_its_name(
    tmp_path: Path, ced_tensors: Tensors, name: str, tensor: torch.Tensor, words: str
) -> None:
    weights = saved({**ced_tensors, name: tensor}, tmp_path / "other.pt")
    network = network_of("ced-tiny", 3)
    before = network.state_dict()["blocks.1.conv.weight"].clone()
    said = line(lambda: weights.put_into(network))
    assert said.startswith("model.init: ")
    assert words in said
    assert torch.equal(network.state_dict()["blocks.1.conv.weight"], before)


def test_a_missing_tensor_and_another_size_are_refused(tmp_path: Path, ced_tensors: Tensors) -> None:
    fewer = {name: value for name, value in ced_tensors.items() if name != "blocks.7.mlp.fc2.bias"}
    weights = saved(fewer, tmp_path / "fewer.pt")
    assert "no weights for blocks.9.linear2.bias" in line(lambda: weights.put_into(network_of("ced-tiny", 3)))
    weights = saved(made(3, width=256), tmp_path / "mini.pt")
    assert "they are the weights of preset ced-mini" in line(lambda: weights.put_into(network_of("ced-tiny", 3)))
    assert "need 1 `patches` in the network" in line(lambda: weights.put_into(_attention_alone()))


def _attention_alone() -> Network:
    blocks = [{"conv": {"channels": 192}}, *[{"attention": {"heads": 3}}] * 12, {"pooling": {"mode": "avg"}}]
    with torch.device("meta"):
        return build_network(ModelConfig.model_validate({"blocks": blocks}), input_shape=(1, 9, 6), classes=2, seed=0)
