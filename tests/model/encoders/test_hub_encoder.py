"""Encoders of the Hub: outputs equal to those of `transformers`, feature extractor included, for every family."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hub_folders import FAMILIES
from safetensors.torch import save_file

from audiosurvey.model.describe import describe
from audiosurvey.model.encoders.hub_encoder import HubEncoder
from audiosurvey.model.encoders.hub_folder import read_settings
from audiosurvey.model.grammar import ModelConfig
from audiosurvey.model.network import Network, build_network
from audiosurvey.model.weights.pretrained import open_weights
from audiosurvey.tensorfile import load_tensors

hf = pytest.importorskip("transformers")
Folder = Callable[[str], Path]


def network_of(folder: Path, seconds: float = 1, device: str = "cpu", **options: Any) -> tuple[Network, int]:
    """The network of an encoder, with its weights, and its sample rate."""
    architecture, extractor = read_settings(str(folder))
    block = {"hub": str(folder), "config": architecture, "extractor": extractor, **options}
    config = ModelConfig.model_validate({"blocks": [{"input": "wave"}, {"encoder": block}]})
    rate = extractor["sampling_rate"]
    with torch.device(device):
        network = build_network(config, input_shape=(1, round(seconds * rate)), classes=3, seed=0)
    if device == "cpu":
        open_weights(str(folder)).put_into(network)
    return network.eval(), rate


def sounds(rate: int, seconds: float = 1) -> np.ndarray:
    """A loud tone, soft noise, and clicks."""
    time_S, rng = np.arange(round(seconds * rate)) / rate, np.random.default_rng(0)
    tone, noise = 0.5 * np.sin(2 * np.pi * 440 * time_S), 0.01 * rng.standard_normal(len(time_S))
    return np.stack([tone + noise, noise, noise + (np.arange(len(time_S)) % (rate // 5) < 30)]).astype(np.float32)


def theirs(family: str, folder: Path, wave_BS: np.ndarray, rate: int) -> Any:
    """The outputs of `transformers` itself, from its own feature extractor, for a list of clips."""
    extractor = hf.AutoFeatureExtractor.from_pretrained(folder)
    heard = extractor(list(wave_BS), sampling_rate=rate, return_tensors="pt")
    if family == "whisper":
        model = hf.WhisperModel.from_pretrained(folder).encoder
    elif family == "pe-a":
        model = hf.PeAudioModel.from_pretrained(folder).audio_encoder
    elif family.startswith("clap"):
        model = hf.ClapModel.from_pretrained(folder).audio_model
        heard = {"input_features": heard["input_features"], "is_longer": torch.zeros(len(wave_BS), 1, dtype=torch.bool)}
    else:
        model = hf.AutoModel.from_pretrained(folder)
    with torch.no_grad():
        return model.eval()(**heard, output_hidden_states=not family.startswith("clap"))


def embedded(network: Network, wave_BS: np.ndarray) -> torch.Tensor:
    with torch.no_grad():
        return network.embed(torch.from_numpy(wave_BS).unsqueeze(1))


@pytest.mark.parametrize("family", FAMILIES)
def test_equal_to_transformers(family: str, hub_folder: Folder) -> None:
    folder = hub_folder(family)
    network, rate = network_of(folder)
    wave_BS = sounds(rate)
    found, out = embedded(network, wave_BS), theirs(family, folder, wave_BS, rate)
    if family.startswith("clap"):
        expected = out.pooler_output
    elif family == "ast":
        expected = out.last_hidden_state[:, 2:].mean(1)
    elif family == "whisper":
        # One of two seconds is the clip.
        expected = out.last_hidden_state[:, :50].mean(1)
    else:
        expected = out.last_hidden_state.mean(1)
    assert expected.std(0).mean() > 1e-3
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("family", ["ast", "wavlm", "wav2vec2"])
def test_layers_and_pooling(family: str, hub_folder: Folder) -> None:
    folder = hub_folder(family)
    first = 2 if family == "ast" else 0
    network, rate = network_of(folder, layer=1, pool="max")
    wave_BS = sounds(rate)
    out = theirs(family, folder, wave_BS, rate)
    states = [state[:, first:] for state in out.hidden_states]
    torch.testing.assert_close(embedded(network, wave_BS), states[1].amax(1), rtol=0, atol=1e-5)
    mean, _ = network_of(folder, layer="mean")
    torch.testing.assert_close(embedded(mean, wave_BS), torch.stack(states).mean((0, 2)), rtol=0, atol=1e-5)
    mixed, _ = network_of(folder, layer="all")
    torch.testing.assert_close(embedded(mixed, wave_BS), torch.stack(states).mean((0, 2)), rtol=0, atol=1e-5)
    encoder = mixed.blocks[1]
    assert isinstance(encoder, HubEncoder)
    with torch.no_grad():
        encoder.mixture[2] = 50
    torch.testing.assert_close(embedded(mixed, wave_BS), states[2].mean(1), rtol=0, atol=1e-5)
    if family == "ast":
        token, _ = network_of(folder, pool="token")
        torch.testing.assert_close(embedded(token, wave_BS), out.pooler_output, rtol=0, atol=1e-5)


def test_class_token_and_layers_of_pe_a(hub_folder: Folder) -> None:
    """Clips that are no whole number of steps of the codec: their end is mirrored."""
    folder = hub_folder("pe-a")
    wave_BS = sounds(48_000)[:, :47_000]
    out = theirs("pe-a", folder, wave_BS, 48_000)
    for options, expected in (
        ({"pool": "token"}, out.pooler_output),
        ({"layer": 1}, out.hidden_states[1][:, 1:].mean(1)),
        ({"layer": 1, "pool": "token"}, out.hidden_states[1][:, 0]),
        ({"layer": 2}, out.last_hidden_state.mean(1)),
    ):
        network, _ = network_of(folder, 47_000 / 48_000, **options)
        # States within the encoder are in the hundreds.
        torch.testing.assert_close(embedded(network, wave_BS), expected, rtol=1e-6, atol=1e-5)
    mixed, _ = network_of(folder, 47_000 / 48_000, layer="all")
    states = [*(state[:, 1:] for state in out.hidden_states[:-1]), out.last_hidden_state]
    torch.testing.assert_close(embedded(mixed, wave_BS), torch.stack(states).mean((0, 2)), rtol=1e-6, atol=1e-5)


def test_the_audio_encoder_of_a_pe_av_checkpoint(hub_folder: Folder, tmp_path: Path) -> None:
    """Such a checkpoint holds encoders of text and video too."""
    folder = hub_folder("pe-a")
    tensors, _ = load_tensors(folder / "model.safetensors")
    begin = "audio_encoder."
    inside = {f"audio_model.{name}": each for name, each in tensors.items() if name.startswith(begin)}
    save_file(inside | {"video_model.weight": torch.zeros(2)}, tmp_path / "model.safetensors", {"format": "pt"})
    settings = json.loads((folder / "config.json").read_text())
    whole = {"model_type": "pe_audio_video", "audio_video_config": {"audio_config": settings["audio_config"]}}
    (tmp_path / "config.json").write_text(json.dumps(whole))
    (tmp_path / "preprocessor_config.json").write_bytes((folder / "preprocessor_config.json").read_bytes())
    wave_BS = sounds(48_000)
    (found, _), (expected, _) = network_of(tmp_path), network_of(folder)
    assert torch.equal(embedded(found, wave_BS), embedded(expected, wave_BS))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_clip_alone_and_in_a_batch(family: str, hub_folder: Folder) -> None:
    network, rate = network_of(hub_folder(family))
    wave_BS = sounds(rate)
    torch.testing.assert_close(embedded(network, wave_BS)[1:2], embedded(network, wave_BS[1:2]), rtol=0, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_parameters_are_those_of_the_encoder(family: str, hub_folder: Folder) -> None:
    network, rate = network_of(hub_folder(family), device="meta")
    described = describe(network, (1, rate))
    encoder = network.blocks[1]
    assert isinstance(encoder, HubEncoder)
    own = sum(parameter.numel() for parameter in encoder.model.parameters() if parameter.requires_grad)
    assert described.parameters == own + 3 * (encoder.width + 1)
    assert described.macs > 1e5
    grouped = [parameter for group in encoder.depth_groups() for parameter in group]
    assert sorted(map(id, encoder.parameters())) == sorted(map(id, grouped))
    assert len(encoder.depth_groups()) >= encoder.layers + 1


@pytest.mark.parametrize(
    ("family", "changes", "group"),
    [
        ("wav2vec2", {}, 0),
        ("hubert", {}, 0),
        ("wavlm", {}, 0),
        ("data2vec", {}, 0),
        ("wav2vec2", {"do_stable_layer_norm": True}, -1),
        ("wavlm", {"do_stable_layer_norm": True}, -1),
    ],
)
def test_depth_of_the_norm_is_where_it_is_computed(
    family: str, changes: dict[str, Any], group: int, hub_folder: Folder
) -> None:
    architecture, extractor = read_settings(str(hub_folder(family)))
    encoder = HubEncoder({**architecture, **changes}, extractor, "last", "mean", 16_000).eval()
    norm = encoder.model.encoder.layer_norm
    order: list[str] = []
    norm.register_forward_hook(lambda *given: order.append("norm"))
    encoder.model.encoder.layers[0].register_forward_hook(lambda *given: order.append("layer"))
    encoder(torch.randn(1, 1, 16_000, 1))
    assert order == (["norm", "layer"] if group == 0 else ["layer", "norm"])
    assert any(parameter is norm.weight for parameter in encoder.depth_groups()[group])
    assert len(encoder.depth_groups()) == (3 if group == 0 else 4)


def test_an_adapter_is_after_the_layers(hub_folder: Folder) -> None:
    architecture, extractor = read_settings(str(hub_folder("wav2vec2")))
    encoder = HubEncoder({**architecture, "add_adapter": True}, extractor, "last", "mean", 16_000)
    assert {*map(id, encoder.depth_groups()[-1])} == {*map(id, encoder.model.adapter.parameters())}


def test_freezing_leaves_the_mixture(hub_folder: Folder) -> None:
    network, _ = network_of(hub_folder("hubert"), layer="all")
    network.freeze([0, 1])
    trained = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    assert trained == {"blocks.1.mixture", "classifier.weight", "classifier.bias"}
    assert not network.train().blocks[1].model.training


@pytest.mark.parametrize("family", FAMILIES)
def test_checkpointing_and_bf16(family: str, hub_folder: Folder) -> None:
    """A step with recomputed activations has the same gradients; under autocast the features stay close."""
    network, rate = network_of(hub_folder(family))
    wave_B1S = torch.from_numpy(sounds(rate)).unsqueeze(1)
    gradients = []
    for recompute in (False, True):
        network.use_checkpoint = recompute
        network.zero_grad()
        network.train()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            network(wave_B1S).square().sum().backward()
        gradients.append([parameter.grad for parameter in network.parameters() if parameter.requires_grad])
    for one, other in zip(*gradients, strict=True):
        assert one is not None
        torch.testing.assert_close(one, other)
    network.eval()
    exact = embedded(network, sounds(rate))
    with torch.autocast("cpu", torch.bfloat16):
        rough = embedded(network, sounds(rate))
    assert rough.dtype == torch.float32
    assert (rough - exact).norm() / exact.norm() < 0.1
