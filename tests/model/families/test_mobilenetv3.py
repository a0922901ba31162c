"""The mn family: the block against plain functions, counts and costs of the presets, and the real weights' numbers."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from audiosurvey.config.loader import load_config
from audiosurvey.config.root import Config
from audiosurvey.features.mel import MelFrontEnd
from audiosurvey.model.describe import describe
from audiosurvey.model.families.mobilenetv3 import MnBlock, MnConv, SqueezeExcite
from audiosurvey.model.grammar import ModelConfig
from audiosurvey.model.network import Network, build_network
from audiosurvey.model.weights.pretrained import open_weights

# Parameters with 50 and 527 classes; multiply-accumulates of 1, 5 and 10 s with 527; width of the hidden layer.
FAMILY = {
    "mn04": (738_898, 983_599, (12_748_160, 56_061_184, 110_643_072), 512),
    "mn05": (1_125_482, 1_431_239, (18_494_976, 81_078_016, 159_964_672), 640),
    "mn10": (4_265_794, 4_876_831, (62_997_952, 274_342_912, 541_078_208), 1280),
    "mn20": (16_687_690, 17_909_287, (239_544_704, 1_043_961_344, 2_059_375_488), 2560),
    "mn40": (65_984_586, 68_427_303, (933_269_248, 4_069_009_408, 8_027_611_904), 5120),
}
RATE = 32_000
SECOND = np.arange(RATE)


@cache
def preset(name: str) -> Config:
    return load_config(name).config


def network_of(name: str, seconds: int, classes: int, device: str = "meta") -> Network:
    config = preset(name)
    shape = (1, config.mel_spectrogram.num_frames(seconds * RATE, RATE), 128)
    with torch.device(device):
        return build_network(config.model, input_shape=shape, classes=classes, seed=0)


@pytest.mark.parametrize("name", FAMILY)
def test_parameters_and_cost(name: str) -> None:
    few, many, costs, hidden = FAMILY[name]
    for seconds, macs in zip((1, 5, 10), costs, strict=True):
        shape = (1, 100 * seconds, 128)
        described = describe(network_of(name, seconds, 527), shape)
        assert described.parameters == many
        assert described.macs == macs
        assert described.layers[-1].parameters == 527 * (hidden + 1)
    described = describe(network_of(name, 5, 50), (1, 500, 128))
    assert described.parameters == few
    assert described.macs == costs[1] - 477 * hidden


def test_shapes_of_five_seconds() -> None:
    layers = describe(network_of("mn04", 5, 527), (1, 500, 128)).layers
    # Frames and bands are halved five times, rounded up.
    sides = [(250, 64)] * 2 + [(125, 32)] * 2 + [(63, 16)] * 3 + [(32, 8)] * 6 + [(16, 4)] * 4
    channels = [8, 8, 16, 16, 16, 16, 16, 32, 32, 32, 32, 48, 48, 64, 64, 64, 384]
    assert [layer.output_shape for layer in layers[:17]] == [(c, *s) for c, s in zip(channels, sides, strict=True)]
    assert [layer.output_shape for layer in layers[17:]] == [(384,), (512,), (512,), (512,), (527,)]


def block(item: dict[str, Any], shape: tuple[int, int, int] = (8, 9, 6)) -> nn.Module:
    config = ModelConfig.model_validate({"blocks": [item, {"pooling": {"mode": "avg"}}]})
    return build_network(config, input_shape=shape, classes=2, seed=0).blocks[0].eval()


def norm(x: torch.Tensor) -> torch.Tensor:
    return x / (1 + 1e-3) ** 0.5


def test_block_against_plain_functions() -> None:
    settings = {"expanded": 24, "channels": 8, "kernel": [5, 3], "squeeze": 4, "activation": "hardswish"}
    module = block({"mn_block": settings})
    assert isinstance(module, MnBlock)
    assert isinstance(module.expand, MnConv)
    assert isinstance(module.squeeze, SqueezeExcite)
    x = torch.randn(2, 8, 9, 6)
    y = F.hardswish(norm(F.conv2d(x, module.expand.conv.weight)))
    y = F.hardswish(norm(F.conv2d(y, module.depthwise.conv.weight, padding=(2, 1), groups=24)))
    inner = F.relu(y.mean((2, 3)) @ module.squeeze.squeeze.weight.T)
    y = y * torch.sigmoid(inner @ module.squeeze.excite.weight.T)[:, :, None, None]
    torch.testing.assert_close(module(x), x + norm(F.conv2d(y, module.project.conv.weight)))


def test_what_a_block_leaves_out() -> None:
    """No first convolution where it would widen nothing; nothing added where the shape changes."""
    plain = block({"mn_block": {"expanded": 8, "channels": 8}})
    assert not any(parameter.numel() == 64 for parameter in plain.expand.parameters())
    assert sum(parameter.numel() for parameter in plain.parameters()) == 8 * 9 + 16 + 64 + 16
    strided = block({"mn_block": {"expanded": 16, "channels": 8, "stride": [2, 2]}})
    widened = block({"mn_block": {"expanded": 16, "channels": 16}})
    x = torch.randn(1, 8, 9, 6)
    assert strided(x).shape == (1, 8, 5, 3)
    for module in (strided, widened):
        nn.init.zeros_(module.project.norm.weight)
        assert torch.all(module(x) == 0)


def test_batch_norms_have_the_familys_constants() -> None:
    norms = [part for part in network_of("mn04", 1, 3).modules() if isinstance(part, nn.BatchNorm2d)]
    assert len(norms) == 46
    assert {(part.eps, part.momentum) for part in norms} == {(1e-3, 0.01)}


def test_an_even_kernel_is_refused() -> None:
    with pytest.raises(ValueError, match="odd"):
        ModelConfig.model_validate({"blocks": [{"mn_block": {"expanded": 8, "channels": 8, "kernel": [4, 3]}}]})


def sine() -> torch.Tensor:
    return torch.from_numpy(0.5 * np.sin(2 * np.pi * 440 * SECOND / RATE)).float()[None]


def sweep(samples: int) -> torch.Tensor:
    return torch.from_numpy(0.1 * np.sin((0.001 * np.arange(samples) ** 2) % (2 * np.pi))).float()[None]


def white(samples: int) -> torch.Tensor:
    state, values = 0, np.empty(samples)
    for index in range(samples):
        state = (1664525 * state + 1013904223) % 2**32
        values[index] = 0.1 * (state / 2**31 - 1)
    return torch.from_numpy(values).float()[None]


@pytest.fixture(scope="module")
def mn04(shared: Path) -> Network:
    """The published network, its classifier of 527 classes included."""
    network = network_of("mn04", 1, 527, "cpu").eval()
    open_weights(str(shared / "weights" / "mn04_as_mAP_432.pt")).put_into(network, keep_classifier=True)
    return network


@pytest.fixture(scope="module")
def front_end() -> MelFrontEnd:
    return MelFrontEnd(preset("mn04").mel_spectrogram, RATE)


# First five logits; highest three; mean and deviation of all; the embedding's mean, norm and first four.
WORKED = {
    "sine": (
        [-3.8886, -8.1883, -7.6092, -8.8883, -8.9376],
        {501: 1.3509, 503: -1.9443, 394: -2.9476},
        (-8.5567, 1.6913),
        (-0.06756, 5.1991, [-0.24580, 0.02105, -0.06834, 0.10403]),
    ),
    "sweep": (
        [-4.1023, -6.8164, -8.2044, -7.2522, -8.7819],
        {137: -1.2792, 504: -2.2368, 500: -2.7930},
        (-8.0717, 1.6318),
        (-0.12829, 5.1333, [-0.17795, 0.40869, -0.12993, -0.16320]),
    ),
    "long sweep": (
        [-5.4827, -8.3499, -9.0316, -9.4848, -10.0935],
        {137: -0.1366, 158: -1.2176, 504: -2.0980},
        (-9.7968, 2.4247),
        (-0.07684, 5.9395, [-0.17088, -0.06944, -0.10273, -0.26038]),
    ),
    "noise": (
        [-3.9762, -7.4156, -6.8630, -8.5422, -8.9399],
        {515: 0.6886, 520: -1.3876, 521: -2.9405},
        (-9.0713, 1.9777),
        (-0.07544, 5.5016, [-0.22621, -0.03016, -0.08078, -0.09139]),
    ),
    "long noise": (
        [-4.1008, -7.2781, -8.2249, -8.8109, -10.8525],
        {515: -0.7932, 520: -1.5979, 521: -2.4487},
        (-9.1214, 1.8068),
        (-0.12021, 5.6003, [-0.21164, 0.00047, -0.18999, -0.22524]),
    ),
}
WAVES = {
    "sine": sine(),
    "sweep": sweep(RATE),
    "long sweep": sweep(5 * RATE),
    "noise": white(RATE),
    "long noise": white(5 * RATE),
}


@pytest.mark.parametrize("name", WORKED)
@torch.no_grad()
def test_the_real_weights_give_the_worked_numbers(mn04: Network, front_end: MelFrontEnd, name: str) -> None:
    first, highest, spread, (mean, length, beginning) = WORKED[name]
    embedding = front_end(WAVES[name])
    for layer in mn04.blocks[:18]:
        embedding = layer(embedding)
    logits = mn04(front_end(WAVES[name]))[0]
    assert logits[:5].tolist() == pytest.approx(first, abs=1e-3)
    top = logits.topk(3)
    assert dict(zip(top.indices.tolist(), top.values.tolist(), strict=True)) == pytest.approx(highest, abs=1e-3)
    assert (float(logits.mean()), float(logits.std(correction=0))) == pytest.approx(spread, abs=1e-3)
    assert (float(embedding.mean()), float(embedding.norm())) == pytest.approx((mean, length), abs=1e-4)
    assert embedding[0, :4].tolist() == pytest.approx(beginning, abs=1e-4)


@torch.no_grad()
def test_silence_has_its_logits(mn04: Network, front_end: MelFrontEnd) -> None:
    logits = mn04(front_end(torch.zeros(1, RATE)))[0]
    assert logits[:5].tolist() == pytest.approx([-4.4747, -5.8264, -6.7986, -7.7100, -7.8463], abs=1e-3)
    assert int(logits.argmax()) == 504
    assert float(logits.max()) == pytest.approx(-2.3770, abs=1e-3)


@torch.no_grad()
def test_layer_by_layer(mn04: Network, front_end: MelFrontEnd) -> None:
    """Mean and deviation of what each layer gives for the sine."""
    expected = [
        (1.48028, 1.14598),
        (1.43857, 1.33527),
        (0.04739, 0.89147),
        (0.08104, 1.21856),
        (-0.27659, 1.14547),
        (-0.27592, 1.27325),
        (-0.24429, 1.43797),
        (0.04333, 1.17692),
        (-0.00439, 1.30841),
        (0.00452, 1.38388),
        (-0.04746, 1.39779),
        (-0.00601, 0.74104),
        (-0.06702, 0.93992),
        (0.08127, 0.55114),
        (0.07120, 0.62877),
        (0.10471, 1.08132),
        (-0.06756, 0.55749),
    ]
    x, found = front_end(sine()), []
    for layer in mn04.blocks:
        x = layer(x)
        found.append((float(x.mean()), float(x.std(correction=0))))
    hidden = found[19]
    assert np.asarray(found[:17]) == pytest.approx(np.asarray(expected), abs=2e-5)
    assert hidden == pytest.approx((0.06936, 0.48629), abs=2e-5)
