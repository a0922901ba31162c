"""EAT: the published sizes to the last parameter, shapes and cost, and the blocks against plain functions."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError
from torch import nn

from audiosurvey.config.loader import load_config
from audiosurvey.model.cost import module_macs
from audiosurvey.model.describe import Description, describe
from audiosurvey.model.families.eat import BlurDown, ReflectConv, ResTf, reflected
from audiosurvey.model.grammar import ModelConfig
from audiosurvey.model.network import Network, build_network

S, M = (16, 128, 4, 8, 512), (32, 256, 6, 16, 2048)
SAMPLES_5S = 110_250
# Sizes, factors of stage 1, samples, classes: parameters, tokens.
PUBLISHED = [
    (S, (4, 4, 4, 4), SAMPLES_5S, 50, 5_183_618, 112),
    (S, (4, 4, 4, 4), 88_200, 10, 5_175_386, 88),
    (S, (4, 4, 4, 4), 220_500, 527, 5_258_463, 216),
    (S, (4, 4, 4), 16_000, 35, 1_971_955, 64),
    (M, (4, 4, 4, 4), SAMPLES_5S, 50, 25_302_738, 112),
    (M, (4, 4, 4, 4), 88_200, 10, 25_286_314, 88),
    (M, (4, 4, 4, 4), 220_500, 527, 25_451_951, 216),
    (M, (4, 4, 4), 16_000, 35, 12_522_435, 64),
]


def eat(sizes: tuple[int, ...], factors: tuple[int, ...]) -> ModelConfig:
    """The blocks by the authors' rules."""
    channels, embedding, layers, heads, hidden = sizes
    blocks: list[dict[str, Any]] = [{"input": "wave"}, {"peak_norm": 0.95}, {"pad_multiple": 8192}]
    blocks.append({"wave_conv": {"channels": channels, "kernel": 7}})
    for index, factor in enumerate(factors):
        channels *= 2
        blocks.append({"wave_down": {"channels": channels, "stride": factor}})
        if index % 2 == 0:
            blocks.append({"res_tf": {"dilation": 1}})
    for _ in range(2):
        channels *= 2
        blocks += [{"res_tf": {"dilation": dilation}} for dilation in (1, 3, 9)]
        blocks.append({"wave_down": {"channels": channels, "stride": 2}})
    blocks.append({"conv": {"channels": embedding, "kernel": [1, 1]}})
    blocks.append({"transformer": {"layers": layers, "heads": heads, "hidden": hidden, "dropout": 0.1}})
    return ModelConfig.model_validate({"initial": "eat", "blocks": blocks})


def built(model: ModelConfig, samples: int, classes: int = 50) -> Network:
    with torch.device("meta"):
        return build_network(model, input_shape=(1, samples), classes=classes, seed=0, standardize="batch_norm")


def described(model: ModelConfig, samples: int, classes: int = 50) -> Description:
    return describe(built(model, samples, classes), (1, samples), classes)


@pytest.mark.parametrize(("sizes", "factors", "samples", "classes", "parameters", "tokens"), PUBLISHED)
def test_sizes_are_the_published_ones(
    sizes: tuple[int, ...], factors: tuple[int, ...], samples: int, classes: int, parameters: int, tokens: int
) -> None:
    description = described(eat(sizes, factors), samples, classes)
    assert description.parameters == parameters
    assert description.layers[-3].output_shape == (sizes[1], tokens, 1)
    assert description.input_shape == (1, samples)


@pytest.mark.parametrize(("name", "sizes"), [("eat-s", S), ("eat-m", M)])
def test_the_shipped_presets_are_those(name: str, sizes: tuple[int, ...]) -> None:
    config = load_config(name).config
    assert config.input_shape == (1, SAMPLES_5S)
    assert [block.text() for block in config.model.network_blocks()] == [
        block.text().replace("res_tf: {kernel: 15, ", "res_tf: {") for block in eat(sizes, (4,) * 4).network_blocks()
    ]
    assert config.model.initial == "eat"


def test_the_way_of_the_shapes() -> None:
    layers = described(load_config("eat-s").config.model, SAMPLES_5S).layers
    shapes = [layer.output_shape for layer in layers if "wave_" in layer.name or " conv:" in layer.name]
    widths = (16, 32, 64, 128, 256, 512, 1024, 128)
    lengths = (114_688, 28_672, 7168, 1792, 448, 224, 112, 112)
    assert shapes == [(width, length, 1) for width, length in zip(widths, lengths, strict=True)]


def test_cost_is_the_published_one() -> None:
    description = described(load_config("eat-s").config.model, SAMPLES_5S)
    transformer = next(layer.macs for layer in description.layers if "transformer" in layer.name)
    # Blurs: each value that leaves one is a sum over 2 f + 1.
    blurs = 9 * (32 * 28_672 + 64 * 7168 + 128 * 1792 + 256 * 448) + 5 * (512 * 224 + 1024 * 112)
    convolutions = description.macs - transformer - description.layers[-1].macs - blurs
    assert f"{convolutions / 1e9:.2f}" == "2.40"
    assert f"{transformer / 1e9:.1f}" == "0.1"


@pytest.mark.parametrize(
    ("stride", "taps"), [(4, [1, 2, 3, 4, 5, 4, 3, 2, 1]), (2, [1, 2, 3, 2, 1]), (3, [1, 2, 3, 4, 3, 2, 1])]
)
def test_the_blur_is_a_triangle_whose_sum_is_1(stride: int, taps: list[int]) -> None:
    blur = BlurDown(stride)
    torch.testing.assert_close(blur.taps.flatten(), torch.tensor(taps) / (stride + 1) ** 2)
    assert blur.taps.sum().item() == pytest.approx(1)
    assert not list(blur.parameters())
    assert blur.state_dict() == {}
    assert module_macs(blur, torch.empty(1, 3, 7, 1)) == 3 * 7 * (2 * stride + 1)


def test_the_blur_keeps_what_is_constant_and_takes_what_would_alias() -> None:
    blur = BlurDown(4)
    constant = torch.full((1, 2, 40, 1), 0.7)
    torch.testing.assert_close(blur(constant), constant[:, :, :10])
    # At the rate of the triangle's boxes, a fifth of the sampling rate, nothing is left away from the ends.
    wave = torch.sin(2 * torch.pi * torch.arange(80) / 5 + 0.3).reshape(1, 1, 80, 1)
    assert blur(wave)[:, :, 2:-2].abs().max() < 1e-6


def test_the_blur_against_a_plain_convolution() -> None:
    x = torch.randn(2, 3, 20)
    taps = torch.tensor([1.0, 2, 3, 4, 5, 4, 3, 2, 1]) / 25
    expected = F.conv1d(F.pad(x, (4, 4), mode="reflect"), taps.expand(3, 1, 9), stride=4, groups=3)
    torch.testing.assert_close(BlurDown(4)(x.unsqueeze(-1)).squeeze(-1), expected)


@pytest.mark.parametrize(("dilation", "length"), [(1, 30), (3, 50), (9, 64)])
def test_a_residual_block_against_plain_functions(dilation: int, length: int) -> None:
    block = ResTf(4, 15, dilation).eval()
    for part in block.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.weight)
            nn.init.normal_(part.bias)
    x = torch.randn(2, 4, length)

    def norm_act(y: torch.Tensor, norm: nn.BatchNorm2d) -> torch.Tensor:
        y = y / (1 + 1e-5) ** 0.5 * norm.weight[:, None] + norm.bias[:, None]
        return torch.where(y > 0, y, 0.2 * y)

    around = F.conv1d(x, block.around.weight.squeeze(-1), block.around.bias)
    across = norm_act(F.conv1d(x, block.across.conv.weight.squeeze(-1)), block.across.norm)
    padded = F.pad(x, (7 * dilation, 7 * dilation), mode="reflect")
    along = F.conv1d(padded, block.along.conv.weight.squeeze(-1), dilation=dilation, groups=4)
    expected = around + across + norm_act(along, block.along.norm)
    torch.testing.assert_close(block(x.unsqueeze(-1)).squeeze(-1), expected)


def test_ends_are_reflected_and_where_too_short_zero() -> None:
    x = torch.arange(1.0, 5).reshape(1, 1, 4, 1)
    assert reflected(x, 2).flatten().tolist() == [3, 2, 1, 2, 3, 4, 3, 2]
    assert reflected(x, 5).flatten().tolist() == [0, 0, 4, 3, 2, 1, 2, 3, 4, 3, 2, 1, 0, 0]
    assert reflected(x[:, :, :1], 1).flatten().tolist() == [0, 1, 0]


@pytest.mark.parametrize("length", [1, 2, 5, 40, 41, 43])
@pytest.mark.parametrize("stride", [2, 3, 4, 5])
def test_shapes_are_foreseen_for_clips_of_any_length(stride: int, length: int) -> None:
    blocks = [{"wave_conv": {"channels": 2}}, {"wave_down": {"channels": 3, "stride": stride}}, {"res_tf": {}}]
    model = ModelConfig.model_validate({"blocks": [*blocks, {"pooling": {}}]})
    network = build_network(model, input_shape=(1, length, 1), classes=2, seed=0)
    x = torch.zeros(2, 1, length, 1)
    for step, block in zip(network.steps, network.blocks, strict=True):
        x = block(x)
        assert tuple(x.shape[1:]) == step.left


def test_convolutions_begin_small_and_linear_layers_by_their_inputs() -> None:
    model = eat((8, 32, 2, 4, 64), (4, 4))
    network = build_network(model, input_shape=(1, 8192), classes=40, seed=0)
    weights = [part.weight.flatten() for part in network.modules() if isinstance(part, nn.Conv2d)]
    assert torch.cat(weights).std().item() == pytest.approx(0.02, rel=0.02)
    assert not any(
        part.bias.any() for part in network.modules() if isinstance(part, nn.Conv2d) and part.bias is not None
    )
    bound = 1 / 32**0.5
    assert 0.9 * bound < network.classifier.weight.abs().max() <= bound
    assert not network.classifier.bias.any()


def test_a_small_one_learns_a_batch_by_heart_and_does_not_hear_levels() -> None:
    model = eat((4, 16, 2, 4, 32), (4, 4, 4))
    network = build_network(model, input_shape=(1, 4096), classes=4, seed=0)
    hertz = torch.tensor([200.0, 500.0, 1100.0, 2300.0])[:, None]
    wave = torch.sin(2 * torch.pi * hertz * torch.arange(4096) / 8000)[:, None]
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    losses = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for _ in range(30):
            loss = F.cross_entropy(network(wave), torch.arange(4))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    network.eval()
    torch.testing.assert_close(network(0.01 * wave), network(wave), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("block", [{"wave_conv": {"channels": 4, "kernel": 6}}, {"res_tf": {"kernel": 4}}])
def test_even_kernels_have_no_middle(block: dict[str, Any]) -> None:
    model = ModelConfig.model_validate({"blocks": [block, {"pooling": {}}]})
    with pytest.raises(ValueError, match="kernel must be odd, not"):
        build_network(model, input_shape=(1, 9, 1), classes=2, seed=0)


def test_a_stride_of_one_is_no_way_down() -> None:
    with pytest.raises(ValidationError, match="greater than or equal to 2"):
        ModelConfig.model_validate({"blocks": [{"wave_down": {"channels": 2, "stride": 1}}]})


def test_the_stem() -> None:
    stem = ReflectConv(1, 3, 7, 3).eval()
    x = torch.randn(2, 1, 12)
    expected = F.conv1d(F.pad(x, (3, 3), mode="reflect"), stem.conv.weight.squeeze(-1)) / (1 + 1e-5) ** 0.5
    torch.testing.assert_close(stem(x.unsqueeze(-1)).squeeze(-1), F.leaky_relu(expected, 0.2))
