"""The checkpoints of CED: their front end, tensors and networks.

Source: Dinkel et al. 2023 (arXiv 2308.11957), github.com/RicherMans/CED (Apache-2.0), Zenodo records 8275319 and
8275347. On the Hugging Face Hub (mispeech/ced-tiny, ...) everything but `outputlayer` is under `encoder.`. Their maps
are (band, frame), ours (frame, band): kernels are transposed.
"""

import re
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from audiosurvey.errors import UserError
from audiosurvey.features.agreement import FrontEnd
from audiosurvey.features.mel import MelConfig, MelFrontEnd
from audiosurvey.model.blocks.normalise import BandBatchNorm, ChannelNorm
from audiosurvey.model.families.ced import AttentionLayer, Patches
from audiosurvey.model.network import Network
from audiosurvey.model.weights.family import Family, Placed, released_as
from audiosurvey.model.weights.published import PUBLISHED

_FRONT_END = FrontEnd(
    16_000,
    MelConfig(win_length=0.032, hop_length=0.010, n_mels=64, f_max=8_000, compression="db", top_db=120),
)
_WIDTHS = {192: "ced-tiny", 256: "ced-mini", 384: "ced-small", 768: "ced-base"}
"""Features of a patch: the preset."""


RELEASED = {name: released_as(name, _FRONT_END) for name in PUBLISHED if name.startswith("ced/")}
"""`model.init` name: the file. All trained on AudioSet."""

_HUB = "encoder."
_BLOCK = re.compile(r"blocks\.(\d+)\.(norm1|norm2|attn\.qkv|attn\.proj|mlp\.fc1|mlp\.fc2)\.(weight|bias)")
_INSIDE = {
    "norm1": "norm1",
    "norm2": "norm2",
    "attn.qkv": "attention.qkv",
    "attn.proj": "attention.out",
    "mlp.fc1": "linear1",
    "mlp.fc2": "linear2",
}
_BATCH_NORM = re.compile(r"init_bn\.(?:1\.)?(weight|bias|running_mean|running_var|num_batches_tracked)")
_WINDOW, _FILTERS = "front_end.0.spectrogram.window", "front_end.0.mel_scale.fb"
_POSITIONS = {"time_pos_embed": (3, (0, 2)), "freq_pos_embed": (2, (0, 3))}
"""The axis of the positions, and those of one value."""


def place(tensors: Mapping[str, Tensor], network: Network) -> Placed:
    """`blocks.N` are the attention layers of `network` in their order, `norm` and `outputlayer.0` its two `layer_norm`
    blocks, `init_bn` its `band_norm`. The stored front end is compared with ours and dropped."""
    at = _Places(network)
    if (layers := _layers(tensors)) != len(at.attention):
        raise UserError(
            f"model.init: the weights are those of {layers} attention layers, the network has {len(at.attention)}"
        )
    placed = Placed()
    for name, tensor in tensors.items():
        plain = name.removeprefix(_HUB)
        if plain in (_WINDOW, _FILTERS):
            _refuse_other_front_end(plain, tensor)
            placed.dropped[name] = "a front end equal to the one that is computed here"
        elif (ours := at.name_of(plain)) is not None:
            placed.put(name, ours, _as_ours(plain, tensor))
        else:
            raise UserError(f"model.init: {name}: not a tensor of this family")
    return placed


class _Places:
    """The blocks of a network that the parts of a checkpoint belong to."""

    def __init__(self, network: Network) -> None:
        self.attention = _numbers(network, AttentionLayer)
        norms, patches, bands = (_numbers(network, kind) for kind in (ChannelNorm, Patches, BandBatchNorm))
        wanted = {"patches": (1, patches), "band_norm": (1, bands), "layer_norm": (2, norms)}
        for block, (number, found) in wanted.items():
            if len(found) != number:
                raise UserError(
                    f"model.init: the weights need {number} `{block}` in the network, which has {len(found)}"
                )
        (self.patches,), (self.bands,), self.norms = patches, bands, norms

    def name_of(self, plain: str) -> str | None:
        """Our name of a tensor; None for one that is not of this family."""
        if found := _BLOCK.fullmatch(plain):
            return f"blocks.{self.attention[int(found[1])]}.{_INSIDE[found[2]]}.{found[3]}"
        if found := _BATCH_NORM.fullmatch(plain):
            return f"blocks.{self.bands}.norm.{found[1]}"
        first, last = self.norms
        fixed = {
            "patch_embed.proj.weight": f"blocks.{self.patches}.conv.weight",
            "patch_embed.proj.bias": f"blocks.{self.patches}.conv.bias",
            "time_pos_embed": f"blocks.{self.patches}.time_positions",
            "freq_pos_embed": f"blocks.{self.patches}.band_positions",
        }
        for part in ("weight", "bias"):
            fixed |= {f"norm.{part}": f"blocks.{first}.{part}", f"outputlayer.0.{part}": f"blocks.{last}.{part}"}
            fixed[f"outputlayer.1.{part}"] = f"classifier.{part}"
        return fixed.get(plain)


def _numbers(network: Network, kind: type[nn.Module]) -> list[int]:
    return [index for index, block in enumerate(network.blocks) if isinstance(block, kind)]


def _layers(tensors: Mapping[str, Tensor]) -> int:
    return 1 + max((int(found[1]) for found in _blocks_in(tensors)), default=-1)


def _blocks_in(tensors: Mapping[str, Tensor]) -> Iterator[re.Match[str]]:
    for name in tensors:
        if found := _BLOCK.fullmatch(name.removeprefix(_HUB)):
            yield found


def _as_ours(plain: str, tensor: Tensor) -> Tensor:
    if plain == "patch_embed.proj.weight" and tensor.dim() == 4:
        return tensor.transpose(2, 3)
    if plain in _POSITIONS:
        along, single = _POSITIONS[plain]
        if tensor.dim() != 4 or any(tensor.shape[axis] != 1 for axis in single):
            shape = " x ".join(map(str, tensor.shape))
            raise UserError(f"model.init: {plain} ({shape}): not the positions of this family")
        return tensor.reshape(tensor.shape[1], tensor.shape[along])
    return tensor


def _refuse_other_front_end(plain: str, stored: Tensor) -> None:
    """The window and the filters that the checkpoint holds have to be the ones that we compute."""
    assert _FRONT_END.mel is not None
    computed = MelFrontEnd(_FRONT_END.mel, _FRONT_END.sample_rate)
    own = computed.window if plain == _WINDOW else computed.bank
    # The authors' filters are computed in single precision.
    if stored.shape != own.shape or not torch.allclose(stored.float(), own, atol=1e-3):
        part = "window" if plain == _WINDOW else "mel filter bank"
        raise UserError(f"model.init: {plain}: another {part} than CED's; the weights need their own front end")


def _recognises(tensors: Mapping[str, Tensor]) -> bool:
    plain = {name.removeprefix(_HUB) for name in tensors}
    return {"time_pos_embed", "freq_pos_embed", "patch_embed.proj.weight", "outputlayer.1.weight"} <= plain


def _preset(tensors: Mapping[str, Tensor]) -> str | None:
    return _WIDTHS.get(tensors["outputlayer.1.weight"].shape[-1])


CED = Family(name="CED", recognises=_recognises, place=place, front_end=lambda tensors: _FRONT_END, preset=_preset)
