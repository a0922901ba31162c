"""The checkpoints of EfficientAT's mn family: their front end, tensors and networks.

Source: Schmid et al. 2022 (arXiv 2211.04772), github.com/fschmid56/EfficientAT (MIT). Their maps are (band, frame),
ours (frame, band): kernels are transposed.
"""

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from audiosurvey.errors import UserError
from audiosurvey.features.agreement import FrontEnd
from audiosurvey.features.mel import MelConfig
from audiosurvey.model.families.mobilenetv3 import MnBlock, MnConv
from audiosurvey.model.network import Network
from audiosurvey.model.weights.family import Family, Placed, released_as
from audiosurvey.model.weights.published import PUBLISHED

_MEL: dict[str, Any] = {
    "preemphasis": 0.97,
    "win_length": 0.025,
    "hop_length": 0.010,
    "n_fft": 1024,
    "wkwargs": {"periodic": False},
    "n_mels": 128,
    "f_min": 0,
    "f_max": 15_000,
    "mel_scale": "kaldi",
    "compression": "ln",
    "log_offset": 1e-5,
    "shift": 4.5,
    "divide": 5,
}
_WIDTHS = {384: "mn04", 480: "mn05", 960: "mn10", 1920: "mn20", 3840: "mn40"}
"""Rows of the last convolution: the preset. The first one does not tell mn04 from mn05."""


def _front_end(**other: Any) -> FrontEnd:
    return FrontEnd(32_000, MelConfig(**_MEL | other))


_OTHER_FRONT_ENDS: dict[str, dict[str, Any]] = {
    "hop_5": {"hop_length": 0.005},
    "hop_15": {"hop_length": 0.015},
    "hop_20": {"hop_length": 0.020},
    "hop_25": {"hop_length": 0.025},
    "mels_40": {"n_mels": 40},
    "mels_64": {"n_mels": 64},
    "mels_256": {"n_mels": 256},
}
RELEASED = {
    name: released_as(name, _front_end(**_OTHER_FRONT_ENDS.get(name.partition("_as_")[2], {})))
    for name in PUBLISHED
    if name.startswith("efficientat/")
}
"""`model.init` name: the file."""

_LAYER = re.compile(r"features\.(\d+)\.(?:block\.(\d+)\.)?(.+)")


def place(tensors: Mapping[str, Tensor], network: Network) -> Placed:
    """`features.N` are the mn blocks of `network` in their order, whatever stands between them; `classifier.2` is its
    first `fc`, `classifier.5` the classifier."""
    blocks = [(i, block) for i, block in enumerate(network.blocks) if isinstance(block, (MnConv, MnBlock))]
    hidden = [i for i, block in enumerate(network.blocks) if isinstance(block, nn.Linear)]
    layers = 1 + max(int(found[1]) for name in tensors if (found := _LAYER.match(name)))
    if layers != len(blocks):
        raise UserError(f"model.init: the weights are those of {layers} mn layers, the network has {len(blocks)}")
    if not hidden:
        raise UserError("model.init: the weights have a hidden layer before the classes, the network has no `fc`")
    placed = Placed()
    for name, tensor in tensors.items():
        if found := _LAYER.match(name):
            index, block = blocks[int(found[1])]
            inside = _inside(tensors, found, block)
            placed.put(name, f"blocks.{index}.{inside}", tensor.transpose(2, 3) if tensor.ndim == 4 else tensor)
        elif name.startswith("classifier.2."):
            placed.put(name, f"blocks.{hidden[0]}.{name.removeprefix('classifier.2.')}", tensor)
        elif name.startswith("classifier.5."):
            placed.put(name, name.replace("classifier.5.", "classifier."), tensor)
        else:
            raise UserError(f"model.init: {name}: not a tensor of this family")
    return placed


def _inside(tensors: Mapping[str, Tensor], found: re.Match[str], block: nn.Module) -> str:
    """The name within our block. EfficientAT numbers the stages of a block in order, without absent ones."""
    layer, stage, rest = found[1], found[2], found[3]
    if stage is None:
        return _conv_or_norm(rest)
    if rest.startswith("conc_se_layers.0."):
        return "squeeze." + rest.removeprefix("conc_se_layers.0.").replace("fc1", "squeeze").replace("fc2", "excite")
    begin = f"features.{layer}.block."
    stages = {int(name[len(begin) :].split(".")[0]) for name in tensors if name.startswith(begin)}
    weighing = {n for n in stages if f"{begin}{n}.conc_se_layers.0.fc1.weight" in tensors}
    plain = sorted(stages - weighing)
    return f"{['expand', 'depthwise', 'project'][plain.index(int(stage)) - len(plain)]}.{_conv_or_norm(rest)}"


def _conv_or_norm(rest: str) -> str:
    number, name = rest.split(".", 1)
    return f"{ {'0': 'conv', '1': 'norm'}[number] }.{name}"


def _preset(tensors: Mapping[str, Tensor]) -> str | None:
    return _WIDTHS.get(len(tensors["features.16.0.weight"]))


EFFICIENTAT = Family(
    name="EfficientAT",
    recognises=lambda tensors: "features.16.0.weight" in tensors and "classifier.5.weight" in tensors,
    place=place,
    front_end=lambda tensors: _front_end(),
    preset=_preset,
)
