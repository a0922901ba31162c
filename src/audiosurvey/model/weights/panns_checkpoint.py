"""The checkpoints of PANNs: their front end, tensors and networks.

Source: Kong et al. 2020 (arXiv 1912.10211), Zenodo record 3987831 (CC BY 4.0). Their maps are (frame, band), as ours,
and their waves have one axis where ours have two. A network of ours has the same convolutions and norms in the same
order, so that is how they are matched.
"""

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from audiosurvey.errors import UserError
from audiosurvey.features.agreement import FrontEnd
from audiosurvey.features.mel import MelConfig
from audiosurvey.model.blocks.normalise import BandBatchNorm
from audiosurvey.model.network import Network
from audiosurvey.model.weights.family import Family, Placed, released_as
from audiosurvey.model.weights.published import PUBLISHED

_F_MAX_HZ = {32_000: 14_000, 16_000: 8_000, 8_000: 4_000}
_STORED = ("spectrogram_extractor.", "logmel_extractor.")
_WHOLE = ("fc1", "fc_audioset", "bn0")
_UNUSED = ("bn0.", "conv_block1.")
"""Of Wavegram-Cnn14, which begins with the wave."""


def _front_end(sample_rate: int = 32_000, n_mels: int = 64) -> FrontEnd:
    mel: dict[str, Any] = {
        "win_length": 0.032,
        "hop_length": 0.010,
        "n_mels": n_mels,
        "f_min": 50,
        "f_max": _F_MAX_HZ[sample_rate],
        "norm": "slaney",
        "mel_scale": "slaney",
        "compression": "db",
        "floor_db": -100,
        "standardize": "batch_norm",
    }
    return FrontEnd(sample_rate, MelConfig(**mel))


_WAVE_ALONE = FrontEnd(32_000, None)


_OTHER_FRONT_ENDS = {"panns/cnn14_16k": _front_end(16_000), "panns/wavegram-cnn14": _WAVE_ALONE}
RELEASED = {
    name: released_as(name, _OTHER_FRONT_ENDS.get(name) or _front_end())
    for name in PUBLISHED
    if name.startswith("panns/")
}
"""`model.init` name: the file. All trained on AudioSet."""


def place(tensors: Mapping[str, Tensor], network: Network) -> Placed:
    """Convolutions and norms in their order, `fc1` is the network's first `fc`, `fc_audioset` the classifier, `bn0` the
    input standardisation. The stored front end is compared with ours and dropped."""
    stored = [name for name in tensors if name.startswith(_STORED)]
    placed = Placed(dropped=dict.fromkeys(stored, "a front end equal to the one that is computed here"))
    if _hears_wave_alone(tensors):
        unused = [name for name in tensors if name.startswith((*_UNUSED, *_STORED))]
        placed.dropped = dict.fromkeys(unused, "what Wavegram-Cnn14 holds of a spectrogram and never uses")
    else:
        _refuse_other_front_end(tensors)
    layers = sorted({name.rpartition(".")[0] for name in tensors if name not in placed.dropped}, key=_order)
    norms = [layer for layer in layers if f"{layer}.running_mean" in tensors and layer != "bn0"]
    convs = [layer for layer in layers if layer not in norms and layer not in _WHOLE]
    targets = {"fc1": _first_fc(network), "fc_audioset": "classifier"}
    targets |= _paired("convolutions", convs, _inside(network, nn.Conv2d))
    targets |= _paired("norms", norms, _inside(network, nn.BatchNorm2d))
    if isinstance(network.standardize, BandBatchNorm):
        targets["bn0"] = "standardize.norm"
    for name, tensor in tensors.items():
        layer, _, rest = name.rpartition(".")
        if name not in placed.dropped:
            # A convolution along the wave: its one band is an axis of ours.
            tensor = tensor.unsqueeze(-1) if tensor.dim() == 3 else tensor
            placed.put(name, f"{targets.get(layer, layer)}.{rest}", tensor)
    return placed


def _hears_wave_alone(tensors: Mapping[str, Tensor]) -> bool:
    """Whether these are the weights of Wavegram-Cnn14, whose second block reads the wavegram's channels and no more."""
    wavegram, second = tensors.get("pre_block4.conv2.weight"), tensors.get("conv_block2.conv1.weight")
    return wavegram is not None and second is not None and len(wavegram) == second.shape[1]


def _order(layer: str) -> list[Any]:
    """The wave before the spectrogram, body before what follows it, numbers by their value: the order in which a clip
    meets the layers."""
    stages = ("pre_conv0", "pre_bn0", "pre_block", "", "conv_block_after")
    stage = next((i for i, begin in enumerate(stages) if begin and layer.startswith(begin)), stages.index(""))
    return [stage, [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", layer)]]


def _inside(network: Network, kind: type[nn.Module]) -> list[str]:
    return [f"blocks.{name}" for name, module in network.blocks.named_modules() if isinstance(module, kind)]


def _first_fc(network: Network) -> str:
    found = [f"blocks.{index}" for index, block in enumerate(network.blocks) if isinstance(block, nn.Linear)]
    if not found:
        raise UserError("model.init: the weights have a hidden layer before the classes, the network has no `fc`")
    return found[0]


def _paired(what: str, theirs: list[str], ours: list[str]) -> dict[str, str]:
    if len(theirs) != len(ours):
        raise UserError(f"model.init: the weights are those of {len(theirs)} {what}, the network has {len(ours)}")
    return dict(zip(theirs, ours, strict=True))


def _trained_with(tensors: Mapping[str, Tensor]) -> FrontEnd | None:
    """From the stored mel filters: (bins, bands), a bin more than half the transform. Without them, the usual one."""
    if _hears_wave_alone(tensors):
        return _WAVE_ALONE
    bank = tensors.get("logmel_extractor.melW")
    if bank is None:
        return _front_end(n_mels=len(tensors["bn0.weight"]))
    rates = {513: 32_000, 257: 16_000, 129: 8_000}
    return _front_end(rates[len(bank)], bank.shape[1]) if len(bank) in rates else None


def _refuse_other_front_end(tensors: Mapping[str, Tensor]) -> None:
    """The filters and the transform that the checkpoint holds have to be the ones that we compute."""
    trained, bank = _trained_with(tensors), tensors.get("logmel_extractor.melW")
    if bank is None:
        return
    other = "model.init: the weights have another mel filter bank or transform than PANNs and need their own front end"
    if (
        trained is None
        or trained.mel is None
        or not torch.allclose(bank.float(), trained.mel.filters(trained.sample_rate), atol=1e-6)
    ):
        raise UserError(other)
    n_fft = trained.mel.fft_samples(trained.sample_rate)
    window_N = torch.hann_window(n_fft, dtype=torch.float64)
    angle_KN = torch.arange(n_fft // 2 + 1)[:, None] * torch.arange(n_fft) % n_fft * (2 * torch.pi / n_fft)
    for part, wave_KN in (("conv_real", angle_KN.cos()), ("conv_imag", -angle_KN.sin())):
        stored = tensors.get(f"spectrogram_extractor.stft.{part}.weight")
        if stored is not None and not torch.allclose(stored[:, 0].double(), wave_KN * window_N, atol=1e-5):
            raise UserError(other)


def _preset(tensors: Mapping[str, Tensor]) -> str | None:
    """By what tells the models apart; None for variants that no preset is for."""
    if "pre_conv0.weight" in tensors:
        return "wavegram-cnn14" if _hears_wave_alone(tensors) else "wavegram-logmel-cnn14"
    if "conv_block6.conv1.weight" in tensors:
        return "cnn14"
    if "conv_block4.bn1.weight" in tensors:
        return "cnn10" if "conv_block4.conv2.weight" in tensors else "cnn6"
    if "resnet.layer1.0.conv1.weight" in tensors:
        if "resnet.layer1.0.conv3.weight" in tensors:
            return "resnet54"
        return "resnet38" if "resnet.layer1.2.conv1.weight" in tensors else "resnet22"
    if "features.0.0.weight" in tensors:
        return "mobilenetv2" if "features.1.conv.0.weight" in tensors else "mobilenetv1"
    return None


PANNS = Family(
    name="PANNs",
    recognises=lambda tensors: "fc_audioset.weight" in tensors and "bn0.weight" in tensors,
    place=place,
    front_end=_trained_with,
    preset=_preset,
)
