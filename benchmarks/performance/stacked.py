"""Four networks of one shape, such as folds or seeds: steps of one after the other, compared with all in one pass.

In one pass, the convolutions of all networks become one grouped convolution, or `torch.func.vmap` runs one network over
their stacked weights; each network has batches of its own. Processor time of one thread, which each of the processes of
`--jobs` has: a ratio below 1 would be gained over processes side by side. The results of all ways are compared first.
"""

import copy
import time
from collections.abc import Callable
from typing import Any

import torch
from rounds import Row, alternate, compared
from step import BATCH, CLASSES, prepared, stepping
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from audiosurvey.model.blocks.normalise import BandBatchNorm

NETWORKS = ("tiny", "small", "base")
COUNT = 4
"""Networks trained together."""


class Grouped(nn.Module):
    """Networks of one shape as one network: (B, M, T, F) -> logits (B, M, K), with grouped convolutions."""

    def __init__(self, networks: list[Any]) -> None:
        super().__init__()
        self.count = len(networks)
        self.standardize = merged([network.standardize for network in networks])
        self.blocks = merged([nn.Sequential(*network.blocks) for network in networks])
        self.weight_MKN = nn.Parameter(torch.stack([network.classifier.weight.detach() for network in networks]))
        self.bias_MK = nn.Parameter(torch.stack([network.classifier.bias.detach() for network in networks]))

    def forward(self, heard_BMTF: Tensor) -> Tensor:
        features_BMN = self.blocks(self.standardize(heard_BMTF)).unflatten(1, (self.count, -1))
        return torch.einsum("bmn,mkn->bmk", features_BMN, self.weight_MKN) + self.bias_MK


class GroupedBandNorm(nn.Module):
    """`BandBatchNorm` of several networks: one batch-norm over the bands of all."""

    def __init__(self, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, x_BMTF: Tensor) -> Tensor:
        size_b, members, frames, bands = x_BMTF.shape
        bands_first = x_BMTF.transpose(2, 3).reshape(size_b, members * bands, frames, 1)
        return self.norm(bands_first).reshape(size_b, members, bands, frames).transpose(2, 3)


def merged(modules: list[Any]) -> nn.Module:
    """One module that does to the channels of all what each of these does to its own."""
    first, count = modules[0], len(modules)
    if isinstance(first, BandBatchNorm):
        return GroupedBandNorm(joined_norm([module.norm for module in modules]))
    if isinstance(first, nn.BatchNorm2d):
        return joined_norm(modules)
    together = copy.deepcopy(first)
    if isinstance(first, nn.Conv2d):
        together.in_channels, together.out_channels = count * first.in_channels, count * first.out_channels
        together.groups = count * first.groups
        together.weight = nn.Parameter(torch.cat([module.weight.detach() for module in modules]))
        return together
    for name, _ in first.named_children():
        setattr(together, name, merged([getattr(module, name) for module in modules]))
    return together


def joined_norm(norms: list[nn.BatchNorm2d]) -> nn.BatchNorm2d:
    together = nn.BatchNorm2d(sum(norm.num_features for norm in norms))
    for name in ("weight", "bias", "running_mean", "running_var"):
        getattr(together, name).data.copy_(torch.cat([getattr(norm, name).detach() for norm in norms]))
    return together


def grouped_step(networks: list[Any], heard_MB1TF: Tensor) -> Callable[[], Tensor]:
    """One step of all networks, as grouped convolutions; returns the logits (B, M, K) before it."""
    network: Any = Grouped(networks)
    network.to(memory_format=torch.channels_last)
    heard = heard_MB1TF[:, :, 0].transpose(0, 1).contiguous(memory_format=torch.channels_last)
    return _stepping(lambda: network(heard), list(network.parameters()))


def vmap_step(networks: list[Any], heard_MB1TF: Tensor) -> Callable[[], Tensor]:
    """One step of all networks with `torch.func.vmap` over their stacked weights."""
    weights, buffers = torch.func.stack_module_state(networks)
    # Counters of batches are of no use to vmap.
    skeleton = copy.deepcopy(networks[0]).to("meta")

    def one(weights: dict[str, Tensor], buffers: dict[str, Tensor], heard: Tensor) -> Tensor:
        return torch.func.functional_call(skeleton, (weights, buffers), (heard,))

    together = torch.func.vmap(one, randomness="different")
    return _stepping(lambda: together(weights, buffers, heard_MB1TF).transpose(0, 1), list(weights.values()))


def _stepping(forward: Callable[[], Tensor], parameters: list[Any]) -> Callable[[], Tensor]:
    optimizer = torch.optim.AdamW(parameters, lr=1e-4, fused=True)
    target_BM = (torch.arange(BATCH) % CLASSES)[:, None].expand(-1, COUNT)

    def step() -> Tensor:
        logits_BMK = forward()
        # The mean over clips and networks, times the number of networks: the gradient of each is as if alone.
        (cross_entropy(logits_BMK.flatten(0, 1), target_BM.flatten()) * COUNT).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return logits_BMK.detach()

    return step


def in_turn(networks: list[Any], batches: list[Tensor]) -> Callable[[], None]:
    """A step of each network, one after the other."""
    steps = [stepping(network, heard, "fp32") for network, heard in zip(networks, batches, strict=True)]

    def run() -> None:
        for step in steps:
            step()

    return run


def checked(networks: list[Any], heard_MB1TF: Tensor) -> None:
    """All ways compute the same logits, before and after a step."""
    networks = copy.deepcopy(networks)
    for network in networks:
        for part in network.modules():
            if isinstance(part, nn.Dropout):
                part.p = 0.0
    ways = [grouped_step(copy.deepcopy(networks), heard_MB1TF), vmap_step(copy.deepcopy(networks), heard_MB1TF)]
    steps = [stepping(network, heard, "fp32") for network, heard in zip(networks, heard_MB1TF, strict=True)]
    for _ in range(2):
        expected = torch.stack([network(heard) for network, heard in zip(networks, heard_MB1TF, strict=True)], 1)
        for way in ways:
            torch.testing.assert_close(way(), expected.detach(), rtol=1e-3, atol=1e-3)
        for step in steps:
            step()


def measure() -> list[Row]:
    rows = []
    for name in NETWORKS:
        networks = [prepared(name)[0] for _ in range(COUNT)]
        batches = [torch.randn_like(prepared(name)[1]) for _ in range(COUNT)]
        heard_MB1TF = torch.stack(batches)
        checked(networks, heard_MB1TF)
        ways = {
            "one after the other": in_turn(networks, batches),
            "grouped convolutions": grouped_step(copy.deepcopy(networks), heard_MB1TF),
            "vmap": vmap_step(copy.deepcopy(networks), heard_MB1TF),
        }
        taken = alternate(ways, rounds=3, clock=time.process_time)
        rows += compared(f"step of {COUNT} networks `{name}`, fp32, one clip", taken, items=BATCH * COUNT)
    return rows
