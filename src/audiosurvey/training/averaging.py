"""Averages of the weights over the steps, evaluated in place of the raw ones: exponential, or even."""

import copy

import torch
from pydantic import Field
from torch import nn

from audiosurvey.section import Section


class EmaConfig(Section):
    """Averaging of the weights over the steps."""

    decay: float | None = Field(default=None, ge=0, lt=1)
    """Share of the average kept at each step; 0: no averaging. Absent: 0.999 where the number of epochs is fixed, 0
    where patience decides (as the original), in a pretraining by its own, or `swa` averages."""


class SwaConfig(Section):
    """Stochastic weight averaging: the even mean of the weights over the last part of training."""

    start: float | None = Field(default=None, ge=0, lt=1)
    """Share of the steps after which the average begins; from there on the weights after each step count alike (arXiv
    1803.05407, which takes those after each epoch). Batch-norm statistics are counted anew for the averaged weights,
    over the training clips as augmented, when they are evaluated or kept. Absent: no such average; given, `ema` is
    off."""


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
        share = self.share(step)
        source, target = network.state_dict(), self.network.state_dict()
        floats = [name for name, value in target.items() if value.is_floating_point()]
        torch._foreach_lerp_([target[n] for n in floats], [source[n] for n in floats], share)  # pyright: ignore[reportPrivateImportUsage]
        for name in target.keys() - set(floats):
            target[name].copy_(source[name])

    def share(self, step: int) -> float:
        """Of the trained network in the average after `step`."""
        return 1 - min(self.decay, (1 + step) / (10 + step))

    def counts_anew(self, step: int) -> bool:
        """Whether batch-norm statistics belong to no weights that were trained, and have to be counted over clips."""
        return False


class EvenAverage(Average):
    """The mean of the weights after `first` and each later step; before that, the trained network itself."""

    def __init__(self, network: nn.Module, first: int) -> None:
        super().__init__(network, decay=0.0)
        self.first = first

    def share(self, step: int) -> float:
        return 1 / (max(0, step - self.first) + 1)

    def counts_anew(self, step: int) -> bool:
        return step > self.first
