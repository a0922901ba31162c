"""ERANN: the published sizes for every s and W, their cost and shapes, and the block against plain functions."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError
from torch import nn

from audiosurvey.config.loader import load_config
from audiosurvey.model.describe import Description, describe
from audiosurvey.model.families.erann import Arb
from audiosurvey.model.grammar import ModelConfig
from audiosurvey.model.network import build_network

FIVE_SECONDS = (1, 640, 128)
# s, W: parameters with 527, 50 and 10 classes without the input norm, and GMAC for 5 s as they are rounded.
SIZES: dict[tuple[int, int], tuple[int, int, int, str]] = {
    (0, 1): (1_572_001, 1_510_468, 1_505_308, "1.76"),
    (0, 2): (6_143_665, 6_021_076, 6_010_796, "7.04"),
    (1, 2): (6_154_417, 6_031_828, 6_021_548, "4.30"),
    (2, 2): (6_197_425, 6_074_836, 6_064_556, "3.28"),
    (0, 3): (13_715_521, 13_531_876, 13_516_476, "15.8"),
    (1, 3): (13_739_713, 13_556_068, 13_540_668, "9.66"),
    (0, 4): (24_287_569, 24_042_868, 24_022_348, "28.1"),
    (1, 4): (24_330_577, 24_085_876, 24_065_356, "17.2"),
    (2, 4): (24_502_609, 24_257_908, 24_237_388, "13.1"),
    (2, 5): (38_195_809, 37_890_052, 37_864_412, "20.5"),
    (0, 6): (54_432_241, 54_065_428, 54_034_668, "63.3"),
    (1, 6): (54_529_009, 54_162_196, 54_131_436, "38.6"),
    (2, 6): (54_916_081, 54_549_268, 54_518_508, "29.5"),
    (3, 6): (56_464_369, 56_097_556, 56_066_796, "26.5"),
}
PRESETS = [(0, 1), (1, 2), (1, 3), (2, 4), (2, 5), (1, 6)]
INPUT_NORM = 2


def erann(s: int, w: int) -> list[dict[str, Any]]:
    """The blocks of ERANN-s-W, by the paper's two formulas."""
    blocks: list[dict[str, Any]] = []
    for stage in range(5):
        channels = 8 * w * 2**stage
        stride = [1, 1] if stage == 0 else [4 if stage <= min(s, 3) else 2, 2]
        blocks += [{"arb": {"channels": channels, "stride": stride}}, *[{"arb": {"channels": channels}}] * 3]
    return [*blocks, {"pooling": {"mode": "avg+max"}}, {"fc": 128 * w}, {"activation": "lrelu"}]


def described(model: ModelConfig, classes: int, standardize: Any = "batch_norm_channel") -> Description:
    with torch.device("meta"):
        network = build_network(model, input_shape=FIVE_SECONDS, classes=classes, seed=0, standardize=standardize)
    return describe(network, FIVE_SECONDS, classes)


@pytest.mark.parametrize(("s", "w"), SIZES)
def test_sizes_and_cost_are_the_papers(s: int, w: int) -> None:
    model = ModelConfig.model_validate({"blocks": erann(s, w)})
    *sizes, rounded = SIZES[s, w]
    for classes, parameters in zip((527, 50, 10), sizes, strict=True):
        description = described(model, classes)
        assert description.parameters == parameters + INPUT_NORM
        digits = len(str(rounded).split(".")[1])
        assert f"{description.macs / 1e9:.{digits}f}" == rounded


@pytest.mark.parametrize(("s", "w"), PRESETS)
def test_the_shipped_presets_are_those(s: int, w: int) -> None:
    config = load_config(f"erann-{s}-{w}").config
    assert config.input_shape == FIVE_SECONDS
    assert described(config.model, 50, config.mel_spectrogram.standardize).parameters == SIZES[s, w][1] + INPUT_NORM
    mel, rate = config.mel_spectrogram, config.sample_rate
    assert (rate, mel.win_samples(rate), mel.hop_samples(rate)) == (44_100, 1380, 345)
    for seconds in (1, 2, 3, 4, 5):
        assert mel.num_frames(seconds * rate, rate) == 128 * seconds


def test_the_way_of_the_shapes_through_erann_2_5() -> None:
    layers = described(load_config("erann-2-5").config.model, 50).layers
    shapes = [layer.output_shape for layer in layers if "arb" in layer.name]
    assert len(shapes) == 20
    # Channels, frames, bands; the paper writes channels, bands, frames.
    assert shapes[3::4] == [(40, 640, 128), (80, 160, 64), (160, 40, 32), (320, 20, 16), (640, 10, 8)]


def test_the_receptive_field_grows_by_the_kernels_of_the_strides() -> None:
    blocks = [{"arb": {"channels": 4, "stride": [4, 2]}}, {"pooling": {"mode": "avg"}}]
    # Along time: 6 frames, then 5 positions of 4 frames; along frequency: 3 bands, then 3 positions of 2 bands.
    assert described(ModelConfig.model_validate({"blocks": blocks}), 2).layers[1].receptive_field == (22, 7)


def act(x: torch.Tensor) -> torch.Tensor:
    """A fresh batch-norm in evaluation, which divides by the root of 1 + eps, and LeakyReLU."""
    return F.leaky_relu(x / (1 + 1e-5) ** 0.5, 0.01)


def test_a_block_of_strides_4_and_2() -> None:
    module = Arb(3, 5, (4, 2)).eval()
    first, second, around = [part for part in module.modules() if isinstance(part, nn.Conv2d)]
    assert (first.kernel_size, second.kernel_size) == ((6, 3), (5, 3))
    x = torch.randn(2, 3, 16, 8)
    y = F.conv2d(act(x), first.weight, stride=(4, 2), padding=1)
    y = F.conv2d(act(y), second.weight, padding=(2, 1))
    # The way around takes the input as it came, without norm or activation.
    torch.testing.assert_close(module(x), y + F.conv2d(x, around.weight, stride=(4, 2)))
    assert module(x).shape == (2, 5, 4, 4)


def test_a_block_that_keeps_its_shape_has_nothing_on_its_way_around() -> None:
    module = Arb(4, 4, (1, 1)).eval()
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.zeros_(part.weight)
    x = torch.randn(2, 4, 7, 6)
    assert torch.equal(module(x), x)
    assert isinstance(Arb(3, 4, (1, 1)).around, nn.Conv2d)


@pytest.mark.parametrize("frames", [4, 5, 6, 7, 9, 100, 1279])
@pytest.mark.parametrize("stride", [1, 2, 4])
def test_shapes_are_foreseen_for_clips_of_any_length(frames: int, stride: int) -> None:
    model = ModelConfig.model_validate({"blocks": [{"arb": {"channels": 2, "stride": [stride, 1]}}, {"pooling": {}}]})
    network = build_network(model, input_shape=(1, frames, 4), classes=2, seed=0)
    assert tuple(network.blocks[0](torch.zeros(1, 1, frames, 4)).shape[1:]) == network.steps[0].left


def test_what_is_too_short_is_refused() -> None:
    model = ModelConfig.model_validate({"blocks": [{"arb": {"channels": 2, "stride": [4, 1]}}, {"pooling": {}}]})
    with pytest.raises(ValueError, match="arb: a stride of 4 leaves nothing of T = 3"):
        build_network(model, input_shape=(1, 3, 4), classes=2, seed=0)


@pytest.mark.parametrize(
    ("stride", "words"),
    [([3, 1], "the stride of an arb must be 1, 2 or 4, not 3"), ([2], "not 1 value")],
)
def test_other_strides_are_refused(stride: list[int], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        ModelConfig.model_validate({"blocks": [{"arb": {"channels": 2, "stride": stride}}]})
