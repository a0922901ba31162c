"""A model as one module for export: waveforms (B, S) in, scores (B, K) out, front end and calibration inside."""

import copy

import torch
from torch import nn

from audiosurvey.deploy.artefact import Model
from audiosurvey.deploy.export_mel import MelProducts
from audiosurvey.features.mel import MelFrontEnd


class Scorer(nn.Module):
    """What `Model.scores` computes, as one graph without a Fourier transform. Shares no tensor with the model."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.front_end = _with_products(copy.deepcopy(model.front_end))
        self.network = _with_products(copy.deepcopy(model.network))
        self.binary = model.loss.binary
        self.temperature = temperature(model)
        self.eval().requires_grad_(False)

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        logits_BK = self.network(self.front_end(waveform)) / self.temperature
        return logits_BK.sigmoid() if self.binary else logits_BK.softmax(dim=1)


def temperature(model: Model) -> float:
    """What the logits are divided by before they become probabilities."""
    return float(model.facts.get("calibration", {}).get("temperature", 1.0))


def least_samples(scorer: Scorer, enough: int) -> int:
    """The shortest wave that the graph can take; `enough` samples are known to be.

    Found by bisection on torch's meta device, where shapes are checked and nothing is computed.
    """
    shadow = copy.deepcopy(scorer).to("meta")
    too_few = 0
    while enough - too_few > 1:
        middle = (enough + too_few) // 2
        try:
            shadow(torch.empty(1, middle, device="meta"))
            enough = middle
        except (RuntimeError, ValueError):
            too_few = middle
    return enough


def _with_products(module: nn.Module) -> nn.Module:
    """`module` with every mel front end in it, itself included, replaced by its matrix products."""
    if isinstance(module, MelFrontEnd):
        return MelProducts(module)
    for name, part in module.named_children():
        setattr(module, name, _with_products(part))
    return module
