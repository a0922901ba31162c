"""Initial weights: a function of the seed alone, drawn from a generator of their own."""

import math
from typing import Literal

import torch
from torch import nn

from audiosurvey.randomness import torch_seed

Initial = Literal["he", "xavier", "fan_out"]


def initialise(network: nn.Module, *name: str | int, rule: Initial = "he") -> None:
    """Draws all weights of `network` by the stream of this name, in the order of its modules.

    Convolutions and linear layers: `he`, normal with deviation sqrt(2 / fan_in) (He et al. 2015), which keeps the
    variance from layer to layer behind ReLU-like activations; `xavier`, uniform within sqrt(6 / (fan_in + fan_out))
    (Glorot and Bengio 2010); `fan_out`, convolutions normal with deviation sqrt(2 / fan_out), linear layers 0.01, as
    MobileNetV3. Biases 0. Norms start as their block made them, usually as the identity.
    """
    generator = torch.Generator().manual_seed(torch_seed(*name))
    for module in network.modules():
        if isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Linear)):
            _draw(module, generator, _deviation(module, rule))


def make_classifier(features: int, classes: int, seed: int, rule: Initial = "he") -> nn.Linear:
    """The last layer. With `he` its weights are small, so that training starts near equal chances for all classes."""
    # The layer's own constructor draws weights, which ours replace: keep it off the global generator.
    with torch.random.fork_rng(devices=[]):
        classifier = nn.Linear(features, classes)
    generator = torch.Generator().manual_seed(torch_seed(seed, "classifier"))
    _draw(classifier, generator, 0.1 / math.sqrt(features) if rule == "he" else _deviation(classifier, rule))
    return classifier


def _deviation(layer: nn.Conv1d | nn.Conv2d | nn.Linear, rule: Initial) -> float | None:
    """Of normal weights; None for those of `xavier`, which are not normal."""
    if rule == "fan_out":
        # Grouped convolutions counted as if they were not: torch's way, and so the source's.
        return 0.01 if isinstance(layer, nn.Linear) else math.sqrt(2 / layer.weight[:, 0].numel())
    return None if rule == "xavier" else math.sqrt(2 / layer.weight[0].numel())


def _draw(layer: nn.Conv1d | nn.Conv2d | nn.Linear, generator: torch.Generator, deviation: float | None) -> None:
    """Normal weights of a deviation, or Xavier-uniform ones where there is none; bias 0."""
    if layer.weight.is_meta:
        return
    if deviation is None:
        nn.init.xavier_uniform_(layer.weight, generator=generator)
    else:
        nn.init.normal_(layer.weight, std=deviation, generator=generator)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
