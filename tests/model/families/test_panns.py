"""PANNs: the published sizes to the last parameter, cost, shapes, and the bricks against plain functions."""

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from audiosurvey.config.loader import load_config
from audiosurvey.config.root import Config
from audiosurvey.features.mel import MelFrontEnd
from audiosurvey.model.describe import Description, describe
from audiosurvey.model.grammar import ModelConfig
from audiosurvey.model.network import Network, build_network

# Parameters with 527 and 50 classes, and the multiplications plus additions that the authors count for 10 s, in 10^9.
PUBLISHED = {
    "cnn6": (4_837_455, 4_592_754, 21.986),
    "cnn10": (5_219_279, 4_974_578, 28.166),
    "cnn14": (80_753_615, 79_776_242, 42.220),
    "resnet22": (63_675_087, 62_697_714, 30.081),
    "resnet38": (73_783_247, 72_805_874, 48.962),
    "resnet54": (104_318_159, 103_340_786, 54.563),
    "mobilenetv1": (4_796_303, 4_307_378, 3.614),
    "mobilenetv2": (4_075_343, 3_586_418, 2.810),
    # The authors count 37 824 more, of a first block and a norm that they never use.
    "wavegram-cnn14": (80_991_759 - 37_824, 80_014_386 - 37_824, 44.234),
    "wavegram-logmel-cnn14": (81_065_487, 80_088_114, 53.510),
}


def preset(name: str) -> Config:
    return load_config(name).config


def described(name: str, classes: int, seconds: int = 5) -> Description:
    config = preset(name)
    shape = config.input_shape_of(seconds * config.sample_rate)
    with torch.device("meta"):
        network = build_network(
            config.model,
            input_shape=shape,
            classes=classes,
            seed=0,
            standardize=config.mel_spectrogram.standardize,
        )
    return describe(network, shape, classes)


def block(item: dict[str, Any], shape: tuple[int, int, int] = (4, 9, 8), **model: Any) -> nn.Module:
    config = ModelConfig.model_validate({"blocks": [item, {"pooling": {"mode": "avg"}}], **model})
    return build_network(config, input_shape=shape, classes=2, seed=0).blocks[0].eval()


def convs(module: nn.Module) -> list[nn.Conv2d]:
    return [part for part in module.modules() if isinstance(part, nn.Conv2d)]


def norm(x: torch.Tensor) -> torch.Tensor:
    """A fresh batch-norm in evaluation: it only divides by the root of 1 + eps."""
    return x / (1 + 1e-5) ** 0.5


@pytest.mark.parametrize("name", PUBLISHED)
def test_sizes_are_the_published_ones(name: str) -> None:
    with_527, with_50, _ = PUBLISHED[name]
    assert described(name, 527).parameters == with_527
    assert described(name, 50).parameters == with_50


@pytest.mark.parametrize("name", PUBLISHED)
def test_cost_is_the_published_one(name: str) -> None:
    # The authors count multiplication and addition apart, and the Fourier transform as two convolutions. The rest, less
    # than one hundredth, are their norms, activations and poolings.
    transform = 2 * 2 * 513 * 1024 * 1001 if preset(name).hears_mel else 0
    counted = 2 * described(name, 527, seconds=10).macs + transform
    assert 0.99 < counted / (PUBLISHED[name][2] * 1e9) < 1


@pytest.mark.parametrize("name", ["cnn6", "cnn10", "cnn14"])
def test_cost_is_the_published_one_to_the_last_digit(name: str) -> None:
    description = described(name, 527, seconds=10)
    pool = {"cnn6": (1, 25), "cnn10": (2, 9), "cnn14": (2, 9)}[name]
    # A norm costs them 2 a value. How many values there are follows from the convolutions: each made one for every
    # (kernel x channels that came in) products.
    norms, came_in = 2 * 1001 * 64, 1
    for layer in description.layers:
        if "conv_block" in layer.name:
            out, layers, products = layer.output_shape[0], *pool
            norms += 2 * layers * layer.macs // (products * (came_in + (layers - 1) * out))
            came_in = out
    total = 2 * description.macs + 2 * 2 * 513 * 1024 * 1001 + norms
    assert round(total / 1e9, 3) == PUBLISHED[name][2]


def test_cnn14_halves_the_map_five_times() -> None:
    shapes = [layer.output_shape for layer in described("cnn14", 50).layers if "conv_block" in layer.name]
    assert preset("cnn14").input_shape == (1, 501, 64)
    assert shapes == [(64, 250, 32), (128, 125, 16), (256, 62, 8), (512, 31, 4), (1024, 15, 2), (2048, 15, 2)]


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("cnn6", (512, 31, 4)),
        ("cnn10", (512, 31, 4)),
        ("resnet22", (2048, 15, 2)),
        ("resnet54", (2048, 15, 2)),
        ("mobilenetv1", (1024, 15, 2)),
        ("mobilenetv2", (1280, 15, 2)),
    ],
)
def test_what_the_head_meets(name: str, last: tuple[int, int, int]) -> None:
    layers = described(name, 50).layers
    mean = next(index for index, layer in enumerate(layers) if "mean: bands" in layer.name)
    assert layers[mean - 1].output_shape == last
    assert layers[mean].output_shape == (last[0], last[1], 1)
    assert layers[mean + 1].output_shape == (last[0],)


def test_the_wavegram_is_a_picture_of_the_size_of_a_pooled_spectrogram() -> None:
    layers = described("wavegram-logmel-cnn14", 50).layers
    shapes = [layer.output_shape for layer in layers if "conv_block" in layer.name or "bands: 32" in layer.name]
    wave = [(64, 32_000), (64, 32_000), (64, 8000), (128, 8000), (128, 2000), (128, 2000), (128, 500)]
    assert shapes[:7] == [(*shape, 1) for shape in wave]
    assert shapes[7:11] == [(4, 500, 32), (64, 250, 32), (64, 250, 32), (128, 125, 16)]
    alone = {layer.name.split(" ", 1)[1]: layer.output_shape for layer in described("wavegram-cnn14", 50).layers[:11]}
    assert alone["channels_to_bands: 32"] == (4, 500, 32)
    assert alone["conv_block: {channels: 64, pool: [2, 1]}"] == (64, 250, 32)


@pytest.mark.parametrize("name", [name for name in PUBLISHED if preset(name).hears_mel])
def test_the_front_end_is_the_authors(name: str) -> None:
    config = preset(name)
    mel, rate = config.mel_spectrogram, config.sample_rate
    assert (rate, mel.win_samples(rate), mel.fft_samples(rate), mel.hop_samples(rate)) == (32_000, 1024, 1024, 320)
    front_end = MelFrontEnd(mel, rate)
    assert front_end.num_frames(10 * rate) == 1001
    # 80 dB below a full-scale sine is still there (no clamp relative to the loudest), silence is at -100 dB.
    sine_S = torch.sin(2 * math.pi * 1000 * torch.arange(rate) / rate)
    wave_BS = torch.stack([sine_S, 1e-4 * sine_S, 0 * sine_S])
    loud, quiet, silent = front_end(wave_BS).flatten(1)
    assert loud.max().item() == pytest.approx(quiet.max().item() + 80, abs=1e-2)
    assert silent.unique().tolist() == [-100.0]


def small_cnn6(classes: int = 3) -> Network:
    config = preset("cnn6")
    return build_network(config.model, input_shape=(1, 32, 64), classes=classes, seed=0, standardize="batch_norm")


def test_weights_are_xavier_uniform_the_classifier_included() -> None:
    network = small_cnn6(50)
    layers = [part for part in network.modules() if isinstance(part, (nn.Conv2d, nn.Linear))]
    assert len(layers) == 6
    for layer in layers:
        fan_in = layer.weight[0].numel()
        bound = math.sqrt(6 / (fan_in + layer.weight.numel() // layer.weight.shape[1]))
        assert layer.weight.abs().max().item() == pytest.approx(bound, rel=0.02)
        assert layer.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.05)
        assert layer.bias is None or not layer.bias.any()
    assert small_cnn6(20).classifier.weight.abs().max().item() == pytest.approx(math.sqrt(6 / (512 + 20)), rel=0.02)


def test_the_head_is_mean_over_bands_then_maximum_plus_mean_over_frames() -> None:
    network = small_cnn6().eval()
    assert [step.block.key() for step in network.steps][-5:] == ["mean", "pooling", "cell_dropout", "fc", "activation"]
    x_BCTF = torch.randn(2, 512, 7, 4)
    fc = network.blocks[-2]
    assert isinstance(fc, nn.Linear)
    mean_BCT = x_BCTF.mean(3)
    expected = F.relu(F.linear(mean_BCT.amax(2) + mean_BCT.mean(2), fc.weight, fc.bias))
    y = x_BCTF
    for part in network.blocks[-5:]:
        y = part(y)
    torch.testing.assert_close(y, expected)


def test_the_classifier_reads_what_no_second_dropout_has_touched() -> None:
    blocks = [step.block.key() for step in small_cnn6().steps]
    assert blocks[-1] == "activation"
    assert [step.block.key() for step in small_cnn6().steps].count("cell_dropout") == 4 + 1


def test_cell_dropout_takes_cells_and_not_whole_channels() -> None:
    module = block({"cell_dropout": 0.5}, shape=(2, 30, 40)).train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        out_BCTF = module(torch.ones(1, 2, 30, 40))
    assert set(out_BCTF.unique().tolist()) == {0.0, 2.0}
    for channel_TF in out_BCTF[0]:
        assert (channel_TF > 0).float().mean().item() == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("bottleneck", [False, True])
def test_a_residual_block_starts_as_its_way_around(bottleneck: bool) -> None:
    item = {"panns_residual": {"channels": 4, "bottleneck": bottleneck}}
    x = torch.randn(2, 16 if bottleneck else 4, 9, 8)
    module = block(item, shape=(x.shape[1], 9, 8))
    torch.testing.assert_close(module(x), F.relu(x))


def test_a_basic_block_pools_before_its_convolutions() -> None:
    module = block({"panns_residual": {"channels": 6, "pool": [2, 2]}})
    first, second, around = convs(module)
    opened(module)
    x = torch.randn(2, 4, 9, 8)
    small = F.avg_pool2d(x, 2)
    y = F.relu(norm(F.conv2d(small, first.weight, padding=1)))
    y = norm(F.conv2d(y, second.weight, padding=1))
    torch.testing.assert_close(module(x), F.relu(y + norm(F.conv2d(small, around.weight))))


def test_a_bottleneck_narrows_and_widens() -> None:
    module = block({"panns_residual": {"channels": 3, "bottleneck": True}})
    narrow, middle, wide, around = convs(module)
    opened(module)
    x = torch.randn(2, 4, 9, 8)
    y = F.relu(norm(F.conv2d(x, narrow.weight)))
    y = F.relu(norm(F.conv2d(y, middle.weight, padding=1)))
    y = norm(F.conv2d(y, wide.weight))
    assert y.shape == (2, 12, 9, 8)
    torch.testing.assert_close(module(x), F.relu(y + norm(F.conv2d(x, around.weight))))


def opened(module: nn.Module) -> None:
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.ones_(part.weight)


def test_mobilenetv1_pools_between_its_convolution_a_channel_and_the_norm() -> None:
    module = block({"separable": {"channels": 5, "pool": [2, 2]}})
    depthwise, pointwise = convs(module)
    x = torch.randn(2, 4, 9, 8)
    y = F.avg_pool2d(F.conv2d(x, depthwise.weight, padding=1, groups=4), 2)
    expected = F.relu(norm(F.conv2d(F.relu(norm(y)), pointwise.weight)))
    torch.testing.assert_close(module(x), expected)


def test_mobilenetv2_adds_its_input_where_the_shape_stays() -> None:
    x = torch.randn(2, 4, 9, 8)
    module = block({"inverted": {"channels": 4, "expand": 3}})
    widen, depthwise, narrow = convs(module)
    y = F.relu6(norm(F.conv2d(x, widen.weight)))
    y = F.relu6(norm(F.conv2d(y, depthwise.weight, padding=1, groups=12)))
    torch.testing.assert_close(module(x), x + norm(F.conv2d(y, narrow.weight)))


def test_mobilenetv2_does_not_add_where_it_changes_and_need_not_widen() -> None:
    x = torch.randn(2, 4, 9, 8)
    module = block({"inverted": {"channels": 4, "expand": 1, "pool": [2, 2]}})
    depthwise, narrow = convs(module)
    y = F.relu6(norm(F.avg_pool2d(F.conv2d(x, depthwise.weight, padding=1, groups=4), 2)))
    torch.testing.assert_close(module(x), norm(F.conv2d(y, narrow.weight)))


@pytest.mark.parametrize("item", ["panns_residual", "inverted", "separable"])
def test_a_mean_of_more_than_there_is_is_refused(item: str) -> None:
    with pytest.raises(ValueError, match=f"{item}: kernel 2 leaves nothing of T = 1"):
        block({item: {"channels": 4, "pool": [2, 2]}}, shape=(4, 1, 8))
