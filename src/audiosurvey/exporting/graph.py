"""A model with front end and calibration as one module: waveforms (B, S) to scores (B, K)."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from audiosurvey.artefact.folder import Model
from audiosurvey.exporting.mel import MelProducts
from audiosurvey.features.mel import MelFrontEnd
from audiosurvey.version import __version__

_STORED = (
    *("labels", "sample_rate", "clip_samples", "pad", "mono", "multi_label"),
    *("calibration", "thresholds", "sound_thresholds", "training_range", "licence"),
)
"""Entries of model.json stored in an exported file."""


class Scorer(nn.Module):
    """`Model.scores` as one graph without a Fourier transform. Shares no tensor with the model."""

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
    """The facts stored beside the graph. `least` and `most`: accepted lengths of waves in samples."""
    facts = {name: model.facts[name] for name in _STORED if name in model.facts}
    # Needed to undo the calibration before the scores of several windows are averaged.
    facts["activation"] = "sigmoid" if model.loss.binary else "softmax"
    return {**facts, "least_samples": least, "most_samples": most, "audiosurvey": __version__}


def least_samples(scorer: Scorer, enough: int) -> int:
    """The shortest wave in samples that the graph accepts; it accepts `enough`.

    It is found on the meta device of torch, which checks shapes and computes nothing.
    """
    shadow = copy.deepcopy(scorer).to("meta")
    return shortest(lambda samples: shadow(torch.empty(1, samples, device="meta")), enough)


def shortest(call: Callable[[int], object], enough: int) -> int:
    """The smallest number of samples for which `call` does not raise, by bisection; `enough` is such a number."""
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
    """`module` with every mel front end replaced by matrix products."""
    if isinstance(module, MelFrontEnd):
        return MelProducts(module)
    for name, part in module.named_children():
        setattr(module, name, _with_products(part))
    return module
