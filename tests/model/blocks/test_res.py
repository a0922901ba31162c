"""The `res` block against its formula, written out from plain functions."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from audiosurvey.model.blocks.convolution import same_conv
from audiosurvey.model.blocks.res import Res
from audiosurvey.model.grammar import ModelConfig
from audiosurvey.model.network import build_network


def norm(x: torch.Tensor, layer: nn.BatchNorm2d) -> torch.Tensor:
    return F.batch_norm(x, layer.running_mean, layer.running_var, layer.weight, layer.bias, eps=layer.eps)


def stirred(block: Res) -> Res:
    """Gives the norms statistics and scales that show where they stand."""
    torch.manual_seed(3)
    for layer in block.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for tensor in (layer.weight.data, layer.bias.data, layer.running_mean, layer.running_var):
                assert tensor is not None
                tensor.copy_(torch.rand_like(tensor) + 0.5)
    return block.eval()


def norms(block: Res) -> list[nn.BatchNorm2d]:
    return [layer for layer in block.modules() if isinstance(layer, nn.BatchNorm2d)]


@pytest.mark.parametrize("norm_first", [True, False])
def test_order_of_norm_activation_and_convolutions(norm_first: bool) -> None:
    block = stirred(Res(3, 4, 5, (3, 3), (1, 1), "gelu", norm_first))
    first, second = norms(block)

    def step(x: torch.Tensor, layer: nn.BatchNorm2d) -> torch.Tensor:
        return F.gelu(norm(x, layer)) if norm_first else norm(F.gelu(x), layer)

    x = torch.randn(2, 3, 7, 6)
    entry = step(x, first)
    inner = F.conv2d(entry, block.conv1.weight, block.conv1.bias, padding=1)
    expected = F.conv2d(step(inner, second), block.conv2.weight, block.conv2.bias, padding=1)
    expected = expected + F.conv2d(entry, block.conv_res.weight, block.conv_res.bias)
    torch.testing.assert_close(block(x), expected)


@pytest.mark.parametrize("norm_first", [True, False])
def test_swiglu_gates_by_channel_behind_a_doubled_convolution(norm_first: bool) -> None:
    block = stirred(Res(3, 4, 5, (3, 3), (1, 1), "swiglu", norm_first))
    first, second = norms(block)
    assert block.conv1.out_channels == 8
    assert second.num_features == (8 if norm_first else 4)

    def gate(x: torch.Tensor) -> torch.Tensor:
        return x[:, :4] * F.silu(x[:, 4:])

    x = torch.randn(2, 3, 7, 6)
    entry = F.silu(norm(x, first)) if norm_first else norm(F.silu(x), first)
    inner = block.conv1(entry)
    middle = gate(norm(inner, second)) if norm_first else norm(gate(inner), second)
    torch.testing.assert_close(block(x), block.conv2(middle) + block.conv_res(entry))


@pytest.mark.parametrize("activation", ["swiglu", {"swiglu": {"axis": "last"}}, {"swiglu": {"axis": "channel"}}])
def test_every_way_of_writing_the_gate_means_channels_in_a_res_block(activation: Any) -> None:
    blocks = [{"res": [4, 5]}, {"pooling": {"mode": "avg"}}]
    config = ModelConfig.model_validate({"res_block": {"activation": activation}, "blocks": blocks})
    network = build_network(config, input_shape=(3, 7, 6), classes=2, seed=0)
    block = network.blocks[0]
    assert isinstance(block, Res)
    assert block.conv1.out_channels == 8


@pytest.mark.parametrize("kernel", [(2, 2), (4, 3), (5, 2), (1, 6), (7, 5)])
def test_same_padding_stays_symmetric_for_even_kernels(kernel: tuple[int, int]) -> None:
    conv = same_conv(1, 1, kernel, bias=False)
    nn.init.ones_(conv.weight)
    assert conv.dilation == tuple(1 if side % 2 else 2 for side in kernel)
    impulse = torch.zeros(1, 1, 31, 33)
    impulse[0, 0, 15, 16] = 1
    answer = conv(impulse)
    assert answer.shape == impulse.shape
    # An impulse in the middle is answered alike in both directions of time and of frequency.
    torch.testing.assert_close(answer, answer.flip(2))
    torch.testing.assert_close(answer, answer.flip(3))
    assert answer.sum() == kernel[0] * kernel[1]


def test_kernel_sides_are_frames_then_bands() -> None:
    blocks = [{"res": [4, 4]}, {"pooling": {"mode": "avg"}}]
    settings = {"kernel_size": [5, 3], "kernel_size_res": [2, 1]}
    config = ModelConfig.model_validate({"res_block": settings, "blocks": blocks})
    block = build_network(config, input_shape=(1, 20, 16), classes=2, seed=0).blocks[0]
    assert isinstance(block, Res)
    assert block.conv1.kernel_size == block.conv2.kernel_size == (5, 3)
    assert block.conv_res.kernel_size == (2, 1)
    assert all(conv.bias is not None for conv in (block.conv1, block.conv2, block.conv_res))
