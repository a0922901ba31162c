"""Initial weights: a function of the seed alone, drawn from a generator of their own."""

import math

import torch
from torch import nn

from audiosurvey.randomness import torch_seed


def initialise(network: nn.Module, *name: str | int) -> None:
    """Draws all weights of `network` by the stream of this name, in the order of its modules.

    Convolutions and linear layers: normal with deviation sqrt(2 / fan_in) (He et al. 2015), which keeps the
    variance from layer to layer behind ReLU-like activations; biases 0. Norms start as the identity.
    """
    generator = torch.Generator().manual_seed(torch_seed(*name))
    for module in network.modules():
        if isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Linear)):
            _normal(module, math.sqrt(2 / module.weight[0].numel()), generator)


def make_classifier(features: int, classes: int, seed: int) -> nn.Linear:
    """The last layer. Its weights are small, so that training starts near equal chances for all classes."""
    # The layer's own constructor draws weights, which ours replace: keep it off the global generator.
    with torch.random.fork_rng(devices=[]):
        classifier = nn.Linear(features, classes)
    _normal(classifier, 0.1 / math.sqrt(features), torch.Generator().manual_seed(torch_seed(seed, "classifier")))
    return classifier


def _normal(layer: nn.Conv1d | nn.Conv2d | nn.Linear, deviation: float, generator: torch.Generator) -> None:
    if layer.weight.is_meta:
        return
    nn.init.normal_(layer.weight, std=deviation, generator=generator)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
