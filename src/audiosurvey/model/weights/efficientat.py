"""The checkpoints of EfficientAT's mn family: their names, their front end, and where they are published.

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
from audiosurvey.model.weights.family import Family, Placed, Released

_URL = "https://github.com/fschmid56/EfficientAT/releases/download/v0.0.1/"
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


def _released(file: str, sha256: str | None = None, **other: Any) -> Released:
    return Released(_URL + file, _front_end(**other), f"sha256:{sha256}" if sha256 else None, "MIT")


RELEASED = {
    "efficientat/mn01_as": _released("mn01_as_mAP_298.pt"),
    "efficientat/mn02_as": _released("mn02_as_mAP_378.pt"),
    "efficientat/mn04_as": _released(
        "mn04_as_mAP_432.pt", "899a8c6217063f6941793102a2780b3dd788ab11fce468d9cf5f0577c453321c"
    ),
    "efficientat/mn05_as": _released("mn05_as_mAP_443.pt"),
    "efficientat/mn10_as": _released(
        "mn10_as_mAP_471.pt", "0bd7dc2443af498c289a2e739f02ebb515d6aa3fd3ab9db539c86123ae368a4e"
    ),
    "efficientat/mn20_as": _released("mn20_as_mAP_478.pt"),
    "efficientat/mn30_as": _released("mn30_as_mAP_482.pt"),
    "efficientat/mn40_as": _released("mn40_as_mAP_484.pt"),
    "efficientat/mn40_as_ext": _released("mn40_as_ext_mAP_487.pt"),
    "efficientat/mn40_as_no_im_pre": _released("mn40_as_no_im_pre_mAP_483.pt"),
    "efficientat/mn10_as_hop_5": _released("mn10_as_hop_5_mAP_475.pt", hop_length=0.005),
    "efficientat/mn10_as_hop_15": _released("mn10_as_hop_15_mAP_463.pt", hop_length=0.015),
    "efficientat/mn10_as_hop_20": _released("mn10_as_hop_20_mAP_456.pt", hop_length=0.020),
    "efficientat/mn10_as_hop_25": _released("mn10_as_hop_25_mAP_447.pt", hop_length=0.025),
    "efficientat/mn10_as_mels_40": _released("mn10_as_mels_40_mAP_453.pt", n_mels=40),
    "efficientat/mn10_as_mels_64": _released("mn10_as_mels_64_mAP_461.pt", n_mels=64),
    "efficientat/mn10_as_mels_256": _released("mn10_as_mels_256_mAP_474.pt", n_mels=256),
}
"""`model.init` name: the file. `_as`: trained on AudioSet."""

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
