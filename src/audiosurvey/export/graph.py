"""A model as one module for export: waveforms (B, S) in, scores (B, K) out, front end and calibration inside."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from audiosurvey.artefact.folder import Model
from audiosurvey.export.mel import MelProducts
from audiosurvey.features.mel import MelFrontEnd
from audiosurvey.version import __version__

_TOLD = (
    *("labels", "sample_rate", "clip_samples", "pad", "mono", "multi_label"),
    *("calibration", "thresholds", "sound_thresholds", "training_range", "licence"),
)
"""What an exported file says of its model: all of model.json that using it needs."""


class Scorer(nn.Module):
    """What `Model.scores` computes, as one graph without a Fourier transform. Shares no tensor with the model."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.front_end = _with_products(copy.deepcopy(model.front_end))
        self.network = _with_products(copy.deepcopy(model.network))
        self.binary = model.loss.binary
        self.temperature = model.temperature
        self.eval().requires_grad_(False)

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        logits_BK = self.network(self.front_end(waveform)) / self.temperature
        return logits_BK.sigmoid() if self.binary else logits_BK.softmax(dim=1)


def exported_facts(model: Model, least: int, most: int | None) -> dict[str, Any]:
    """What goes into the file beside the graph; `least` and `most`: samples of the waves that it takes."""
    told = {name: model.facts[name] for name in _TOLD if name in model.facts}
    # Without it nobody knows what to undo where the scores of several windows are averaged.
    told["activation"] = "sigmoid" if model.loss.binary else "softmax"
    return {**told, "least_samples": least, "most_samples": most, "audiosurvey": __version__}


def least_samples(scorer: Scorer, enough: int) -> int:
    """The shortest wave that the graph can take; `enough` samples are known to be.

    Found on torch's meta device, where shapes are checked and nothing is computed.
    """
    shadow = copy.deepcopy(scorer).to("meta")
    return shortest(lambda samples: shadow(torch.empty(1, samples, device="meta")), enough)


def shortest(call: Callable[[int], object], enough: int) -> int:
    """The least number of samples with which `call` raises nothing, by bisection; `enough` are known to do."""
    too_few = 0
    while enough - too_few > 1:
        middle = (enough + too_few) // 2
        try:
            call(middle)
            enough = middle
        except (RuntimeError, ValueError, AssertionError):
            too_few = middle
    return enough


def _with_products(module: nn.Module) -> nn.Module:
    """`module` with every mel front end in it, itself included, replaced by its matrix products."""
    if isinstance(module, MelFrontEnd):
        return MelProducts(module)
    for name, part in module.named_children():
        setattr(module, name, _with_products(part))
    return module
