"""Optimizers by name, with weight decay where it belongs."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import torch
from pydantic import Field, ValidationInfo, field_validator
from torch import nn

from audiosurvey.model.network import Network
from audiosurvey.section import Section
from audiosurvey.training.adams import AdamS, Belonging


class OptimizerConfig(Section):
    """How gradients become steps. The learning rate and weight decay stand in `train`."""

    name: Literal["adamw", "adam", "adams", "sgd"] = "adamw"
    """`adamw`: decay apart from the gradient; `adam`: decay as a penalty in the gradient; `adams`: decay scaled by the
    gradients of all weights (arXiv 2011.11152; its `weight_decay` is 1e-4 to 5e-4); `sgd` with momentum."""
    beta1: float = Field(default=0.9, ge=0, lt=1)
    """Memory of the mean gradient (adam, adamw, adams)."""
    beta2: float = Field(default=0.999, ge=0, lt=1)
    """Memory of the mean squared gradient (adam, adamw, adams)."""
    eps: float = Field(default=1e-8, gt=0)
    """Added to the root of the mean squared gradient (adam, adamw, adams)."""
    amsgrad: bool = False
    """Divide by the greatest mean squared gradient that there has been (arXiv 1904.09237; adam, adamw)."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    """Memory of the step (sgd)."""
    nesterov: bool = False
    """Nesterov's momentum (sgd)."""
    layer_decay: float = Field(default=1.0, gt=0, le=1)
    """The classifier learns at the rate of `train`, the last block with weights at `layer_decay` times it, the block
    before at `layer_decay` squared, and so on to the first, with which the input standardisation goes; 1: all alike. A
    pretraining that starts from nothing goes without."""
    decay_all: bool = False
    """Decay every tensor, as the original system did; otherwise only those of two or more dimensions (no biases, no
    normalisation)."""

    @field_validator("amsgrad")
    @classmethod
    def _known_to_it(cls, amsgrad: bool, info: ValidationInfo) -> bool:
        name = info.data.get("name")
        if amsgrad and name not in (None, "adam", "adamw"):
            raise ValueError(f"a variant of adam and adamw, which {name} has not; leave it out, or take one of the two")
        return amsgrad


def build_optimizer(
    parameters: Iterable[nn.Parameter],
    config: OptimizerConfig,
    *,
    lr: float,
    weight_decay: float,
    rates: Mapping[nn.Parameter, float] | None = None,
    belonging: Belonging = Belonging(),
) -> torch.optim.Optimizer:
    """An optimizer with two groups, decayed tensors and the rest; with `rates` two for each of them, which the group
    holds as `rate`: the factor of its tensors on the learning rate. `belonging`: of the members of an ensemble."""
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    rate_of = {parameter: (rates or {}).get(parameter, 1.0) for parameter in trained}
    groups: list[dict[str, Any]] = []
    for rate in sorted(set(rate_of.values()), reverse=True):
        own = [parameter for parameter in trained if rate_of[parameter] == rate]
        decayed = [p for p in own if config.decay_all or p.ndim >= 2]
        spared = [p for p in own if not (config.decay_all or p.ndim >= 2)]
        groups += [
            {"params": decayed, "weight_decay": weight_decay, "rate": rate, "lr": lr * rate},
            {"params": spared, "weight_decay": 0.0, "rate": rate, "lr": lr * rate},
        ]
    groups = [group for group in groups if group["params"]]
    if config.name == "sgd":
        nesterov = config.nesterov and config.momentum > 0
        return torch.optim.SGD(groups, lr=lr, momentum=config.momentum, nesterov=nesterov)
    betas = (config.beta1, config.beta2)
    if config.name == "adams":
        return AdamS(groups, lr=lr, betas=betas, eps=config.eps, belonging=belonging)
    kind = torch.optim.AdamW if config.name == "adamw" else torch.optim.Adam
    # In one pass over each tensor where the processor does it: small networks spend a tenth of a step here otherwise.
    fused = True if all(parameter.device.type == "cpu" for parameter in trained) else None
    return kind(groups, lr=lr, betas=betas, eps=config.eps, amsgrad=config.amsgrad, fused=fused)


def layer_rates(network: Network, decay: float) -> dict[nn.Parameter, float]:
    """The factor of each parameter on the learning rate: `decay` to the power of its distance from the classifier,
    counted in blocks with weights."""
    rates = dict.fromkeys(network.classifier.parameters(), 1.0)
    rate = 1.0
    for blocks in network.blocks_by_member():
        rate = 1.0
        for block in reversed(blocks):
            if own := list(block.parameters()):
                rate *= decay
                rates |= dict.fromkeys(own, rate)
    return rates | dict.fromkeys(network.standardize.parameters(), rate)
