"""An exponential moving average of the weights, evaluated in place of the raw ones."""

import copy

import torch
from pydantic import Field
from torch import nn

from audiosurvey.section import Section


class EmaConfig(Section):
    """Averaging of the weights over the steps."""

    decay: float | None = Field(default=None, ge=0, lt=1)
    """Share of the average kept at each step; 0: no averaging. Absent: 0.999 where the number of epochs is fixed, 0
    where patience decides (as the original)."""


class Average:
    """Keeps `network`, a copy whose weights and statistics are the running average of the trained one's.

    The decay rises as min(decay, (1 + t) / (10 + t)) over the steps t, so that a short run averages over its last
    tenth and is not held back by its first steps.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.network = copy.deepcopy(network).requires_grad_(False).eval()

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Moves the average after optimizer step `step`, counted from 0."""
        keep = min(self.decay, (1 + step) / (10 + step))
        source, target = network.state_dict(), self.network.state_dict()
        floats = [name for name, value in target.items() if value.is_floating_point()]
        torch._foreach_lerp_([target[n] for n in floats], [source[n] for n in floats], 1 - keep)  # pyright: ignore[reportPrivateImportUsage]
        for name in target.keys() - set(floats):
            target[name].copy_(source[name])
