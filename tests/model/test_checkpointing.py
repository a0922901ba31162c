"""Checkpointing: less memory, and otherwise as if it were not there."""

from typing import Any

import pytest
import torch
from torch import nn

from audiosurvey.model.checkpointing import pieces, segments
from audiosurvey.model.grammar import ModelConfig
from audiosurvey.model.network import Network, build_network

BLOCKS: list[dict[str, Any]] = [
    {"res": [8, 8]},
    {"drop": [0.7, 0.3, 4, 2]},
    {"conv_block": {"channels": 6, "layers": 2, "pool": [1, 1]}},
    {"dropout": 0.4},
    {"residual": {"channels": 8, "stride": [2, 2], "dropout": 0.3}},
    {"pooling": {"mode": "avg", "flat": True}},
    {"fc": 12},
    {"dropout": 0.5},
    {"norm": "batch"},
]


def network(use_checkpoint: bool) -> Network:
    config = ModelConfig.model_validate({"blocks": BLOCKS})
    built = build_network(config, input_shape=(1, 24, 12), classes=3, seed=0, standardize="batch_norm")
    built.use_checkpoint = use_checkpoint
    return built


def one_step(net: Network, autocast: bool = False) -> tuple[torch.Tensor, list[torch.Tensor], dict[str, torch.Tensor]]:
    """Loss, gradients and buffers after one forward and backward pass, on the same clips with the same dropout."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        x = torch.randn(5, 1, 24, 12)
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            loss = net(x).square().mean()
        loss.backward()
    gradients = [parameter.grad for parameter in net.parameters() if parameter.grad is not None]
    return loss.detach(), gradients, dict(net.named_buffers())


@pytest.mark.parametrize("autocast", [False, True])
def test_loss_gradients_and_statistics_are_the_same(autocast: bool) -> None:
    loss, gradients, buffers = one_step(network(False), autocast)
    loss_again, gradients_again, buffers_again = one_step(network(True), autocast)
    assert torch.equal(loss, loss_again)
    assert len(gradients) == len(gradients_again) > 0
    for one, other in zip(gradients, gradients_again, strict=True):
        torch.testing.assert_close(one, other)
    assert buffers.keys() == buffers_again.keys()
    for name, buffer in buffers.items():
        assert torch.equal(buffer, buffers_again[name]), name


def test_statistics_are_counted_once_and_stay_the_modules_own() -> None:
    net = network(True)
    before = dict(net.named_buffers())
    one_step(net)
    after = dict(net.named_buffers())
    counts = [buffer for name, buffer in after.items() if name.endswith("num_batches_tracked")]
    assert counts
    assert all(count.item() == 1 for count in counts)
    assert all(after[name] is before[name] for name in before)


def test_the_backward_pass_really_recomputes() -> None:
    for use_checkpoint, passes in ((False, 1), (True, 2)):
        net, calls = network(use_checkpoint), []
        net.blocks[0].register_forward_hook(lambda *_, calls=calls: calls.append(1))
        one_step(net)
        assert len(calls) == passes


def test_nothing_is_recomputed_in_evaluation() -> None:
    net, calls = network(True).eval(), []
    net.blocks[0].register_forward_hook(lambda *_: calls.append(1))
    net(torch.randn(2, 1, 24, 12)).sum().backward()
    assert len(calls) == 1


def test_less_is_kept_for_the_backward_pass() -> None:
    def kept_bytes(use_checkpoint: bool) -> int:
        net, kept = network(use_checkpoint), {}
        weights = {parameter.data_ptr() for parameter in net.parameters()}

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            if tensor.data_ptr() not in weights:
                kept[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            net(torch.randn(5, 1, 24, 12)).sum()
        return sum(kept.values())

    assert kept_bytes(True) < kept_bytes(False) / 2


def test_cheap_blocks_are_recomputed_with_the_block_before_them() -> None:
    conv, fc = nn.Conv2d(1, 1, 1), nn.Linear(1, 1)
    drop, act = nn.Dropout(), nn.ReLU()
    assert segments([act, conv, drop, act, fc, drop]) == [[act], [conv, drop, act], [fc, drop]]
    assert segments([]) == []


def test_a_row_of_layers_comes_apart_before_each_convolution() -> None:
    row = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Conv2d(2, 2, 3), nn.BatchNorm2d(2))
    tail = nn.Dropout()
    conv1, norm1, act, conv2, norm2 = row
    assert pieces([row, tail]) == [[conv1, norm1, act], [conv2, norm2, tail]]
    # A block with a way around is one thing, whatever is in it.
    bilinear = nn.Bilinear(2, 2, 2)
    assert pieces([bilinear]) == [[bilinear]]
