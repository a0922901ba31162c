"""Norms: the `norm` and `relative` blocks, and the standardisation of the mel bands before the first block."""

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import nn

from audiosurvey.model.blocks.item import BlockItem
from audiosurvey.model.blocks.res_block import ResBlockConfig
from audiosurvey.model.shapes import Reach, Shape, is_map, map_sizes

Share = Annotated[float, Field(ge=0, le=1)]
Standardize = Literal["none", "batch_norm", "batch_norm_channel", "statistics"]


class NormItem(BlockItem):
    """Batch-norm with a learned scale and shift per channel (per feature after `pooling`)."""

    norm: Literal["batch"]

    def output_shape(self, shape: Shape, res_block: ResBlockConfig) -> Shape:
        return shape

    def build(self, shape: Shape, res_block: ResBlockConfig) -> nn.Module:
        return nn.BatchNorm2d(shape[0]) if is_map(shape) else nn.BatchNorm1d(shape[0])


class RelativeItem(BlockItem):
    """So much of each clip's mean over time is subtracted, band by band: with 1 only what changes is left, with 0 all
    stays. The colour that microphone, room and distance give a recording counts for less. A list has a share for each
    of `model.members`, which then make different mistakes."""

    relative: Share | Annotated[list[Share], Field(min_length=1)]

    def output_shape(self, shape: Shape, res_block: ResBlockConfig) -> Shape:
        return map_sizes(shape, "relative")

    def build(self, shape: Shape, res_block: ResBlockConfig) -> nn.Module:
        if isinstance(self.relative, list):
            raise RuntimeError("relative: a share for each member was not taken apart before the network was built")
        return Relative(self.relative)

    def shares(self) -> int | None:
        return len(self.relative) if isinstance(self.relative, list) else None

    def of_member(self, member: int) -> "RelativeItem":
        return RelativeItem(relative=self.relative[member]) if isinstance(self.relative, list) else self

    def reach(self, shape: Shape, res_block: ResBlockConfig) -> tuple[Reach, ...]:
        return (Reach((shape[1], 1)),) if self.relative else ()


class Relative(nn.Module):
    """(B, C, T, F) -> same, minus `share` of the mean over frames, in float32 under any autocast.

    A relaxed form of normalising each clip by itself, with the mean alone. Source: relaxed instance frequency-wise
    normalisation (Kim et al. 2022, arXiv 2206.12513), which divides by the deviation too.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, x_BCTF: torch.Tensor) -> torch.Tensor:
        if not self.share:
            return x_BCTF
        x_BCTF = x_BCTF.float()
        return x_BCTF - self.share * x_BCTF.mean(dim=2, keepdim=True)

    def extra_repr(self) -> str:
        return f"share={self.share:g}"


class BandBatchNorm(nn.Module):
    """Batch-norm per mel band, (B, C, T, F) -> same: one mean, deviation, scale and shift a band.

    Source: PANNs (Kong et al. 2020), where it is the only normalisation of the input.
    """

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(bands)

    def forward(self, x_BCTF: torch.Tensor) -> torch.Tensor:
        return self.norm(x_BCTF.transpose(1, 3)).transpose(1, 3)


class BandStatistics(nn.Module):
    """Fixed standardisation (B, C, T, F) -> same: minus the mean, over the deviation of each band.

    Starts as the identity; `set_statistics` takes what was measured over the training clips. Stored with the
    weights.
    """

    mean_F: torch.Tensor
    deviation_F: torch.Tensor

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.register_buffer("mean_F", torch.zeros(bands))
        self.register_buffer("deviation_F", torch.ones(bands))

    def set_statistics(self, mean_F: torch.Tensor, deviation_F: torch.Tensor) -> None:
        """Sets mean and standard deviation, (F,) each. A band that never changes (an empty filter) is not
        stretched."""
        usable = deviation_F > 1e-5
        self.mean_F.copy_(mean_F)
        self.deviation_F.copy_(torch.where(usable, deviation_F, torch.ones_like(deviation_F)))

    def forward(self, x_BCTF: torch.Tensor) -> torch.Tensor:
        return (x_BCTF - self.mean_F) / self.deviation_F


def make_standardize(kind: Standardize, bands: int) -> nn.Module:
    """The network's first layer, as `mel_spectrogram.standardize` names it."""
    if kind == "batch_norm_channel":
        # A spectrogram is one channel: its bands keep their levels relative to each other.
        return nn.BatchNorm2d(1)
    table: dict[str, type[nn.Module]] = {"batch_norm": BandBatchNorm, "statistics": BandStatistics}
    return nn.Identity() if kind == "none" else table[kind](bands)
