"""Averages of the weights over the steps, evaluated in place of the raw ones: exponential, or even."""

import copy

import torch
from pydantic import Field
from torch import nn

from audiosurvey.section import Section


class EmaConfig(Section):
    """Exponential moving average of the weights."""

    decay: float | None = Field(default=None, ge=0, lt=1)
    """Decay per step; 0 for no averaging. null: 0.999 if the number of epochs is fixed, 0 with early stopping (like the
    original system) or with `swa`; decided for each stage by its own settings."""


class SwaConfig(Section):
    """Stochastic weight averaging: the mean of the weights over the last part of training."""

    start: float | None = Field(default=None, ge=0, lt=1)
    """Fraction of the steps after which averaging starts; from then on, the weights after each step count equally
    (arXiv 1803.05407 averages once per epoch). Batch-norm statistics are recomputed for the averaged weights on
    augmented training clips before they are evaluated or saved. null for no averaging; otherwise `ema` is off."""


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
