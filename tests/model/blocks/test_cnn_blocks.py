"""The bricks of plain CNNs: `conv_block`, `residual` and `separable`, against plain functions."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from audiosurvey.model.blocks.residual import Residual
from audiosurvey.model.grammar import ModelConfig
from audiosurvey.model.network import build_network


def block(item: dict[str, Any], shape: tuple[int, int, int] = (3, 9, 8)) -> nn.Module:
    config = ModelConfig.model_validate({"blocks": [item, {"pooling": {"mode": "avg"}}]})
    return build_network(config, input_shape=shape, classes=2, seed=0).blocks[0].eval()


def convs(module: nn.Module) -> list[nn.Conv2d]:
    return [part for part in module.modules() if isinstance(part, nn.Conv2d)]


def norm(x: torch.Tensor) -> torch.Tensor:
    """A fresh batch-norm in evaluation: it only divides by the root of 1 + eps."""
    return x / (1 + 1e-5) ** 0.5


def test_conv_block_is_convolution_norm_activation_then_pool() -> None:
    module = block({"conv_block": {"channels": 4, "pool": [2, 4], "pool_mode": "max"}})
    first, second = convs(module)
    assert first.bias is None
    assert second.bias is None
    x = torch.randn(2, 3, 9, 8)
    y = F.relu(norm(F.conv2d(x, first.weight, padding=1)))
    y = F.relu(norm(F.conv2d(y, second.weight, padding=1)))
    torch.testing.assert_close(module(x), F.max_pool2d(y, (2, 4)))


def test_conv_block_strides_in_its_first_convolution() -> None:
    module = block({"conv_block": {"channels": 4, "stride": [2, 1], "pool": [1, 1], "activation": "gelu"}})
    first, second = convs(module)
    x = torch.randn(2, 3, 9, 8)
    y = F.gelu(norm(F.conv2d(x, first.weight, padding=1, stride=(2, 1))))
    torch.testing.assert_close(module(x), F.gelu(norm(F.conv2d(y, second.weight, padding=1))))


def test_residual_starts_as_its_way_around() -> None:
    module = block({"residual": {"channels": 3}})
    x = torch.randn(2, 3, 9, 8)
    torch.testing.assert_close(module(x), F.relu(x))


def test_residual_adds_the_body_to_the_way_around() -> None:
    module = block({"residual": {"channels": 4, "stride": [2, 2]}})
    assert isinstance(module, Residual)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.ones_(part.weight)
    first, second, around = convs(module)
    x = torch.randn(2, 3, 9, 8)
    y = F.relu(norm(F.conv2d(x, first.weight, padding=1, stride=2)))
    y = norm(F.conv2d(y, second.weight, padding=1))
    # The last frame of an odd number stands alone in its mean.
    coarse = F.avg_pool2d(F.pad(x, (0, 0, 0, 1), mode="replicate"), 2)
    torch.testing.assert_close(module(x), F.relu(y + norm(F.conv2d(coarse, around.weight))))


def test_separable_looks_at_channels_one_by_one_and_then_across() -> None:
    module = block({"separable": {"channels": 5, "stride": [1, 2]}})
    depthwise, pointwise = convs(module)
    assert depthwise.groups == 3
    assert pointwise.kernel_size == (1, 1)
    x = torch.randn(2, 3, 9, 8)
    y = torch.cat([F.conv2d(x[:, [c]], depthwise.weight[[c]], padding=1, stride=(1, 2)) for c in range(3)], dim=1)
    expected = F.relu(norm(F.conv2d(F.relu(norm(y)), pointwise.weight)))
    torch.testing.assert_close(module(x), expected)
