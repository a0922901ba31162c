"""Normalisation: the blocks `norm`, `band_norm`, `layer_norm` and `relative`, and standardisation of the input."""

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import nn

from audiosurvey.model.blocks.fields import Chance as Share
from audiosurvey.model.blocks.item import BlockItem
from audiosurvey.model.blocks.res_block import ResBlockConfig
from audiosurvey.model.shapes import Reach, Shape, is_map, map_sizes

Standardize = Literal["none", "batch_norm", "batch_norm_channel", "statistics"]


class NormItem(BlockItem):
    """Batch-norm with a learned scale and shift per channel (per feature after `pooling`)."""

    norm: Literal["batch"]

    def build(self, shape: Shape) -> nn.Module:
        return nn.BatchNorm2d(shape[0]) if is_map(shape) else nn.BatchNorm1d(shape[0])


class BandNormItem(BlockItem):
    """Batch-norm with a learned scale and shift per band; the value is the momentum of the running statistics, such as
    0.1."""

    band_norm: Annotated[float, Field(gt=0, le=1)]

    def output_shape(self, shape: Shape) -> Shape:
        return map_sizes(shape, "band_norm")

    def build(self, shape: Shape) -> nn.Module:
        return BandBatchNorm(shape[2], self.band_norm)


class LayerNormItem(BlockItem):
    """Layer normalisation over the channels of each cell of a map, or over the features after `pooling`, with a learned
    scale and shift; the value is the epsilon added to the variance, such as 0.00001."""

    layer_norm: Annotated[float, Field(gt=0, le=1)]

    def build(self, shape: Shape) -> nn.Module:
        return ChannelNorm(shape[0], eps=self.layer_norm)


class RelativeItem(BlockItem):
    """Subtracts this fraction of each clip's mean over time, band by band: 1 removes the mean, 0 changes nothing.
    Reduces the influence of the microphone, the room and the distance. A list gives each of `model.members` a fraction
    of its own, which makes their errors more diverse."""

    relative: Share | Annotated[list[Share], Field(min_length=1)]

    def output_shape(self, shape: Shape) -> Shape:
        return map_sizes(shape, "relative")

    def build(self, shape: Shape) -> nn.Module:
        assert isinstance(self.relative, float | int), "`bound` picks one member's value"
        return Relative(self.relative)

    def member_count(self) -> int | None:
        return len(self.relative) if isinstance(self.relative, list) else None

    def bound(self, member: int, res_block: ResBlockConfig) -> "RelativeItem":
        return RelativeItem(relative=self.relative[member]) if isinstance(self.relative, list) else self

    def reach(self, shape: Shape) -> tuple[Reach, ...]:
        return (Reach((shape[1], 1)),) if self.relative else ()


class Relative(nn.Module):
    """(B, C, T, F) -> same, minus `share` of the mean over frames, in float32 under any autocast.

    Relaxed instance frequency-wise normalisation (Kim et al. 2022, arXiv 2206.12513) without the division by the
    standard deviation.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, x_BCTF: torch.Tensor) -> torch.Tensor:
        if not self.share:
            return x_BCTF
        x_BCTF = x_BCTF.float()
        return x_BCTF - self.share * x_BCTF.mean(dim=2, keepdim=True)


class ChannelNorm(nn.LayerNorm):
    """(B, C, T, F) or (B, N) -> same."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if input.dim() == 2:
            return super().forward(input)
        return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class BandBatchNorm(nn.Module):
    """Batch-norm per mel band instead of per channel, (B, C, T, F) -> same (PANNs, Kong et al. 2020)."""

    def __init__(self, bands: int, momentum: float = 0.1) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(bands, momentum=momentum)

    def forward(self, x_BCTF: torch.Tensor) -> torch.Tensor:
        return self.norm(x_BCTF.transpose(1, 3)).transpose(1, 3)


class BandStatistics(nn.Module):
    """Fixed standardisation per band, (B, C, T, F) -> same. The identity until `set_statistics` is called."""

    mean_F: torch.Tensor
    deviation_F: torch.Tensor

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.register_buffer("mean_F", torch.zeros(bands))
        self.register_buffer("deviation_F", torch.ones(bands))

    def set_statistics(self, mean_F: torch.Tensor, deviation_F: torch.Tensor) -> None:
        """Sets mean and standard deviation, (F,) each. Constant bands (empty mel filters) are not scaled."""
        usable = deviation_F > 1e-5
        self.mean_F.copy_(mean_F)
        self.deviation_F.copy_(torch.where(usable, deviation_F, torch.ones_like(deviation_F)))

    def forward(self, x_BCTF: torch.Tensor) -> torch.Tensor:
        return (x_BCTF - self.mean_F) / self.deviation_F


def make_standardize(kind: Standardize, bands: int) -> nn.Module:
    """The input layer for `mel_spectrogram.standardize`."""
    if kind == "batch_norm_channel":
        return nn.BatchNorm2d(1)  # a spectrogram has one channel: one mean and scale for all bands
    table: dict[str, type[nn.Module]] = {"batch_norm": BandBatchNorm, "statistics": BandStatistics}
    return nn.Identity() if kind == "none" else table[kind](bands)
