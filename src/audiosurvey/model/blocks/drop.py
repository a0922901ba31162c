"""Regularisation inside the network: `drop` (DropBlock), `dropout` (channels or features), `cell_dropout` (cells)."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import torch
from pydantic import GetCoreSchemaHandler, TypeAdapter, ValidatorFunctionWrapHandler
from pydantic_core import CoreSchema, core_schema
from torch import nn

from audiosurvey.augment.mel.dropblock import cover, solve_gamma
from audiosurvey.model.blocks.fields import Chance, Rate, Side, takes
from audiosurvey.model.blocks.item import BlockItem
from audiosurvey.model.shapes import Shape, is_map, map_sizes
from audiosurvey.section import Section


class DropConfig(Section):
    """Options of a `drop` block by name, with a schedule."""

    p: Chance
    """Probability that DropBlock is applied to a clip."""
    dp: Rate
    """Mean fraction of the map that is dropped from such a clip."""
    t: Side
    """Block size in frames."""
    f: Side
    """Block size in bands."""
    schedule: Literal["constant", "linear"] = "constant"
    """`linear`: the fraction rises from 0 at the first step to `dp` at the last (arXiv 1810.12890); constant if the
    number of epochs is not fixed."""


Numbers = Annotated[
    tuple[Chance, Rate, Side, Side],
    takes("four numbers, [p: probability, dp: mean fraction dropped, t: frames, f: bands of a block]", 4),
]
_NUMBERS = TypeAdapter(Numbers)


class _NumbersOrSection:
    """Validates a mapping as `DropConfig` and anything else as `Numbers`, so that errors refer to one form only."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(_by_form, handler(source))


def _by_form(value: Any, _: ValidatorFunctionWrapHandler) -> DropConfig | tuple[float, float, int, int]:
    if isinstance(value, Mapping | DropConfig):
        return DropConfig.model_validate(value)
    return _NUMBERS.validate_python(value)


class DropItem(BlockItem):
    """DropBlock: with probability `p`, drops blocks of `t` frames x `f` bands from a clip, covering on average the
    fraction `dp` of its map. Written as four numbers, or by name with a schedule: `{p: 1, dp: 0.1, t: 8, f: 4,
    schedule: linear}` raises the fraction from 0 to `dp` over training."""

    drop: Annotated[Numbers | DropConfig, _NumbersOrSection()]

    @property
    def numbers(self) -> tuple[float, float, int, int]:
        """(p, dp, t, f) in either form."""
        drop = self.drop
        return (drop.p, drop.dp, drop.t, drop.f) if isinstance(drop, DropConfig) else drop

    def output_shape(self, shape: Shape) -> Shape:
        return map_sizes(shape, "drop")

    def build(self, shape: Shape) -> nn.Module:
        rises = isinstance(self.drop, DropConfig) and self.drop.schedule == "linear"
        return DropBlock2d(*self.numbers, rises=rises)


class DropoutItem(BlockItem):
    """Dropout of whole channels of a map, or of single features after `pooling`."""

    dropout: Rate

    def build(self, shape: Shape) -> nn.Module:
        return nn.Dropout2d(self.dropout) if is_map(shape) else nn.Dropout(self.dropout)


class CellDropoutItem(BlockItem):
    """Element-wise dropout, on maps too (PANNs)."""

    cell_dropout: Rate

    def build(self, shape: Shape) -> nn.Module:
        return nn.Dropout(self.cell_dropout)


class DropBlock2d(nn.Module):
    """Zeroes blocks of the map in training and rescales the rest per clip; the identity in evaluation.

    All channels of a clip share a mask: otherwise one channel would reveal what the others hide. Random numbers come
    from torch's global generator, which the training loop seeds.

    Source: Ghiasi et al. 2018, "DropBlock", with gamma solved for the dropped fraction (overlaps and borders
    included), rescaling per clip instead of per batch, and masks shared by the channels.
    """

    def __init__(self, p: float, dp: float, block_t: int, block_f: int, rises: bool = False) -> None:
        """`rises`: scale `dp` by the training progress set by `set_progress`."""
        super().__init__()
        self.p = p
        self.rises = rises
        self.progress = 1.0
        self.dp = dp
        self.block_t = block_t
        self.block_f = block_f

    def forward(self, x_BCTF: torch.Tensor) -> torch.Tensor:
        if not self.training or self.p == 0 or self.share == 0:
            return x_BCTF
        keep_B1TF = self.draw_keep(len(x_BCTF), x_BCTF.shape[2], x_BCTF.shape[3], x_BCTF.device)
        # A fully dropped clip becomes zero, not infinite.
        kept_B111 = keep_B1TF.mean(dim=(2, 3), keepdim=True)
        return x_BCTF * (keep_B1TF / kept_B111.clamp(min=1e-6)).to(x_BCTF.dtype)

    @property
    def share(self) -> float:
        """Mean dropped fraction at the current training progress."""
        return self.dp * self.progress if self.rises else self.dp

    def draw_keep(self, clips: int, frames: int, bands: int, device: torch.device) -> torch.Tensor:
        """Masks (B, 1, T, F), float32: 0 where the map is dropped, else 1."""
        block_t, block_f = min(self.block_t, frames), min(self.block_f, bands)
        gamma = solve_gamma(frames, bands, block_t, block_f, self.share)
        hit_B111 = torch.rand(clips, 1, 1, 1, device=device) < self.p
        seeds = torch.rand(clips, 1, frames - block_t + 1, bands - block_f + 1, device=device) < gamma
        return 1 - cover((seeds & hit_B111).float(), block_t, block_f)


def set_progress(network: nn.Module, progress: float) -> None:
    """Sets the training progress of scheduled blocks, from 0 at the first step to 1 at the last."""
    for module in network.modules():
        if isinstance(module, DropBlock2d):
            module.progress = progress
