"""Regularisers inside the network: `drop` hides blocks of a map, `dropout` whole channels or single features,
`cell_dropout` single cells."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import torch
from pydantic import GetCoreSchemaHandler, TypeAdapter, ValidatorFunctionWrapHandler
from pydantic_core import CoreSchema, core_schema
from torch import nn

from audiosurvey.augmentation.mel.dropblock import cover, solve_gamma
from audiosurvey.model.blocks.fields import Chance, Rate, Side, takes
from audiosurvey.model.blocks.item import BlockItem
from audiosurvey.model.blocks.res_block import ResBlockConfig
from audiosurvey.model.shapes import Shape, is_map, map_sizes
from audiosurvey.section import Section


class DropConfig(Section):
    """The numbers of a `drop` by their names, and how the dropped share moves."""

    p: Chance
    """Chance that a clip is touched at all."""
    dp: Rate
    """Mean share of such a clip's map that is dropped."""
    t: Side
    """Frames of a block."""
    f: Side
    """Bands of a block."""
    schedule: Literal["constant", "linear"] = "constant"
    """`linear`: the share rises from 0 at the first step to `dp` at the last (arXiv 1810.12890); where patience alone
    ends training it is `dp` throughout."""


Numbers = Annotated[
    tuple[Chance, Rate, Side, Side],
    takes("four numbers, [p: chance a clip, dp: mean share dropped, t: frames, f: bands of a block]", 4),
]


class _NumbersOrSection:
    """Reads a mapping as the section and anything else as the numbers, so that a fault is told of the form that was
    meant."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(_by_form, handler(source))


def _by_form(value: Any, _: ValidatorFunctionWrapHandler) -> DropConfig | tuple[float, float, int, int]:
    return (
        DropConfig.model_validate(value) if isinstance(value, Mapping | DropConfig) else _NUMBERS.validate_python(value)
    )


_NUMBERS = TypeAdapter(Numbers)


class DropItem(BlockItem):
    """DropBlock: with chance `p` a clip loses blocks of `t` frames x `f` bands, a mean share `dp` of its map. As four
    numbers, or by name with a schedule: `{p: 1, dp: 0.1, t: 8, f: 4, schedule: linear}`, whose share rises from 0 to
    `dp` over training."""

    drop: Annotated[Numbers | DropConfig, _NumbersOrSection()]

    @property
    def numbers(self) -> tuple[float, float, int, int]:
        """Chance, share, frames and bands, however they were written."""
        drop = self.drop
        return (drop.p, drop.dp, drop.t, drop.f) if isinstance(drop, DropConfig) else drop

    def output_shape(self, shape: Shape, res_block: ResBlockConfig) -> Shape:
        return map_sizes(shape, "drop")

    def build(self, shape: Shape, res_block: ResBlockConfig) -> nn.Module:
        rises = isinstance(self.drop, DropConfig) and self.drop.schedule == "linear"
        return DropBlock(*self.numbers, rises=rises)


class DropoutItem(BlockItem):
    """Dropout: whole channels of a map, single features after `pooling`."""

    dropout: Rate

    def output_shape(self, shape: Shape, res_block: ResBlockConfig) -> Shape:
        return shape

    def build(self, shape: Shape, res_block: ResBlockConfig) -> nn.Module:
        return nn.Dropout2d(self.dropout) if is_map(shape) else nn.Dropout(self.dropout)


class CellDropoutItem(BlockItem):
    """Dropout of single cells, on maps too: a channel stays audible through its other cells (PANNs)."""

    cell_dropout: Rate

    def output_shape(self, shape: Shape, res_block: ResBlockConfig) -> Shape:
        return shape

    def build(self, shape: Shape, res_block: ResBlockConfig) -> nn.Module:
        return nn.Dropout(self.cell_dropout)


class DropBlock(nn.Module):
    """Zeroes blocks of the map in training and rescales what is left, clip by clip; otherwise changes
    nothing.

    All channels of a clip lose the same blocks: a channel that kept the spot would give away what the others
    hide. A block is clamped to the map. Numbers come from torch's global generator, which the training loop
    seeds.

    Source: Ghiasi et al. 2018, "DropBlock", with gamma solved for the share that is dropped (overlaps and
    borders counted), a rescaling per clip instead of per batch, and masks shared by the channels.
    """

    def __init__(self, p: float, dp: float, block_t: int, block_f: int, rises: bool = False) -> None:
        """`rises`: the share is `dp` times the progress of training, which `set_progress` tells."""
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
        # A clip that lost everything stays zero instead of becoming infinite.
        kept_B111 = keep_B1TF.mean(dim=(2, 3), keepdim=True)
        return x_BCTF * (keep_B1TF / kept_B111.clamp(min=1e-6)).to(x_BCTF.dtype)

    @property
    def share(self) -> float:
        """Mean share that is dropped at this point of training."""
        return self.dp * self.progress if self.rises else self.dp

    def draw_keep(self, clips: int, frames: int, bands: int, device: torch.device) -> torch.Tensor:
        """1 where a clip keeps the map, 0 where it is dropped, (B, 1, T, F) float32."""
        block_t, block_f = min(self.block_t, frames), min(self.block_f, bands)
        gamma = solve_gamma(frames, bands, block_t, block_f, self.share)
        hit_B111 = torch.rand(clips, 1, 1, 1, device=device) < self.p
        seeds = torch.rand(clips, 1, frames - block_t + 1, bands - block_f + 1, device=device) < gamma
        return 1 - cover((seeds & hit_B111).float(), block_t, block_f)

    def extra_repr(self) -> str:
        rises = ", rises" if self.rises else ""
        return f"p={self.p}, dp={self.dp}, block={self.block_t}x{self.block_f}{rises}"


def set_progress(network: nn.Module, progress: float) -> None:
    """Tells the blocks that follow a schedule how far training has come, from 0 at its first step to 1 at its last."""
    for module in network.modules():
        if isinstance(module, DropBlock):
            module.progress = progress
