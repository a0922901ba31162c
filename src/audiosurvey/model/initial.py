"""Weight initialisation: a function of the seed alone, with its own random generator."""

import math
from typing import Literal

import torch
from torch import nn

from audiosurvey.randomness import torch_seed

Initial = Literal["he", "xavier", "fan_out", "eat"]


def initialise(network: nn.Module, *name: str | int, rule: Initial = "he") -> None:
    """Initialises convolutions and linear layers of `network`, in module order, from the random stream of this name.

    `he`: normal with standard deviation sqrt(2 / fan_in) (He et al. 2015); `xavier`: uniform within
    sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010); `fan_out`: convolutions normal with standard deviation
    sqrt(2 / fan_out), linear layers 0.01 (MobileNetV3); `eat`: convolutions normal with standard deviation 0.02, linear
    layers uniform within 1 / sqrt(fan_in) (EAT). Biases are 0; norms are not changed. A module with a method
    `draw_weights(generator)` initialises itself, whatever the rule.
    """
    generator = torch.Generator().manual_seed(torch_seed(*name))
    by_themselves: set[nn.Module] = set()
    for module in network.modules():
        if module in by_themselves:
            continue
        if (draw := getattr(module, "draw_weights", None)) is not None:
            by_themselves.update(module.modules())
            if not any(parameter.is_meta for parameter in module.parameters()):
                draw(generator)
        elif isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Linear)):
            _draw(module, generator, rule)


def make_classifier(features: int, classes: int, seed: int, rule: Initial = "he", members: int = 1) -> nn.Linear:
    """The last layer. With `he` its weights are small, so that training starts near uniform scores.

    For an ensemble of `members` it is the concatenation of their classifiers, each initialised for its own features.
    """
    own = features // members
    # The constructors draw weights, which are replaced: keep them off the global generator.
    with torch.random.fork_rng(devices=[]):
        classifier = nn.Linear(features, classes)
        parts = [nn.Linear(own, classes) for _ in range(members)]
    generator = torch.Generator().manual_seed(torch_seed(seed, "classifier"))
    for part in parts:
        _draw(part, generator, rule, 0.1 / math.sqrt(own) if rule == "he" else None)
    with torch.no_grad():
        for columns, part in zip(classifier.weight.split(own, dim=1), parts, strict=True):
            columns.copy_(part.weight)
        nn.init.zeros_(classifier.bias)
    return classifier


def _deviation(layer: nn.Conv1d | nn.Conv2d | nn.Linear, rule: Initial) -> float:
    """Standard deviation of the rules with normal weights."""
    if rule == "eat":
        return 0.02
    if rule == "fan_out":
        # Groups are ignored, as in torch and the source.
        return 0.01 if isinstance(layer, nn.Linear) else math.sqrt(2 / layer.weight[:, 0].numel())
    return math.sqrt(2 / layer.weight[0].numel())


def _draw(
    layer: nn.Conv1d | nn.Conv2d | nn.Linear,
    generator: torch.Generator,
    rule: Initial,
    deviation: float | None = None,
) -> None:
    """Weights by the rule, or normal with the given standard deviation; zero bias."""
    if layer.weight.is_meta:
        return
    if rule == "xavier":
        nn.init.xavier_uniform_(layer.weight, generator=generator)
    elif rule == "eat" and isinstance(layer, nn.Linear):
        bound = 1 / math.sqrt(layer.in_features)
        nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
    else:
        nn.init.normal_(layer.weight, std=deviation or _deviation(layer, rule), generator=generator)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
