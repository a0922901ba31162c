"""Optimizers by name, and their parameter groups."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import torch
from pydantic import Field, ValidationInfo, field_validator
from torch import nn

from audiosurvey.model.encoders.hub_encoder import HubEncoder
from audiosurvey.model.network import Network
from audiosurvey.section import Section
from audiosurvey.training.adams import AdamS, Belonging


class OptimizerConfig(Section):
    """The optimizer. Learning rate and weight decay are set in `train`."""

    name: Literal["adamw", "adam", "adams", "sgd"] = "adamw"
    """`adamw`: decoupled weight decay; `adam`: L2 penalty in the gradient; `adams`: stable weight decay, scaled by the
    gradients of all weights (arXiv 2011.11152; use a `weight_decay` of 1e-4 to 5e-4); `sgd`: with momentum."""
    beta1: float = Field(default=0.9, ge=0, lt=1)
    """Decay rate of the first moment (adam, adamw, adams)."""
    beta2: float = Field(default=0.999, ge=0, lt=1)
    """Decay rate of the second moment (adam, adamw, adams)."""
    eps: float = Field(default=1e-8, gt=0)
    """Term added to the denominator for numerical stability (adam, adamw, adams)."""
    amsgrad: bool = False
    """Use the maximum of past second moments (arXiv 1904.09237; adam, adamw)."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    """Momentum (sgd)."""
    nesterov: bool = False
    """Nesterov momentum (sgd)."""
    layer_decay: float = Field(default=1.0, gt=0, le=1)
    """Layer-wise learning rate decay: the factor from each block with weights to the one before it (in an `encoder`,
    from layer to layer). The classifier uses
    the full rate, the last block this times it, and so on; the input standardisation uses that of the first block. Not
    applied to pretraining from scratch."""
    decay_all: bool = False
    """Apply weight decay to all parameters, as the original system did, instead of excluding biases and normalisation
    parameters (tensors with fewer than two dimensions)."""

    @field_validator("amsgrad")
    @classmethod
    def _known_to_it(cls, amsgrad: bool, info: ValidationInfo) -> bool:
        name = info.data.get("name")
        if amsgrad and name not in (None, "adam", "adamw"):
            raise ValueError(f"only adam and adamw support amsgrad, not {name}; leave it out")
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
    """An optimizer with parameter groups with and without weight decay, for each distinct learning rate factor.

    `rates`: learning rate factors of parameters, 1 by default; a group stores its own as `rate`. `belonging`: the
    parameters of ensemble members.
    """
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
    # The fused CPU implementation saves a tenth of the step of small networks.
    fused = True if all(parameter.device.type == "cpu" for parameter in trained) else None
    return kind(groups, lr=lr, betas=betas, eps=config.eps, amsgrad=config.amsgrad, fused=fused)


def layer_rates(network: Network, decay: float) -> dict[nn.Parameter, float]:
    """Learning rate factors: `decay` to the power of the distance from the classifier, in blocks with weights, and in
    layers of an `encoder`."""
    rates = dict.fromkeys(network.classifier.parameters(), 1.0)
    rate = 1.0
    for blocks in network.blocks_by_member():
        rate = 1.0
        for block in reversed(blocks):
            # An encoder is one block of many layers.
            parts = block.depth_groups() if isinstance(block, HubEncoder) else [list(block.parameters())]
            for own in reversed(parts):
                if own:
                    rate *= decay
                    rates |= dict.fromkeys(own, rate)
    return rates | dict.fromkeys(network.standardize.parameters(), rate)
