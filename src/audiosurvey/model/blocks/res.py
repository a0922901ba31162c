"""The `res` block: two convolutions in a row and one beside them, each after norm and activation."""

from typing import Annotated

import torch
from torch import nn

from audiosurvey.model.activations import SwiGLU, is_gate, make_activation
from audiosurvey.model.blocks.convolution import same_conv, same_reach
from audiosurvey.model.blocks.fields import Width, takes
from audiosurvey.model.blocks.item import BlockItem
from audiosurvey.model.blocks.res_block import ResBlockConfig
from audiosurvey.model.shapes import Reach, Shape, map_sizes


class ResItem(BlockItem):
    """A residual block; kernels and activation stand in `model.res_block`."""

    res: Annotated[tuple[Width, Width], takes("two channel counts, [between the convolutions, out]", 2)]

    def output_shape(self, shape: Shape, res_block: ResBlockConfig) -> Shape:
        _, frames, bands = map_sizes(shape, "res")
        return self.res[1], frames, bands

    def build(self, shape: Shape, res_block: ResBlockConfig) -> nn.Module:
        return Res(
            shape[0],
            *self.res,
            kernel=res_block.kernel_size,
            kernel_res=res_block.kernel_size_res,
            activation="swiglu" if is_gate(res_block.activation) else str(res_block.activation),
            batch_first=res_block.batch_first,
        )

    def reach(self, shape: Shape, res_block: ResBlockConfig) -> tuple[Reach, ...]:
        twice, beside = same_reach(res_block.kernel_size), same_reach(res_block.kernel_size_res)
        # The longer of the two ways, side by side: two convolutions in a row, or the one beside them.
        extent = [max(2 * twice.kernel[axis] - 1, beside.kernel[axis]) for axis in (0, 1)]
        return (Reach((extent[0], extent[1])),)


class Res(nn.Module):
    """Pre-activation residual block (B, C, T, F) -> (B, out, T, F).

    entry = act(norm(x)); out = conv2(act(norm(conv1(entry)))) + conv_res(entry). All convolutions have a
    bias. With `swiglu` conv1 makes twice the channels, the gate halves them again, and the entry's activation
    is SiLU.
    """

    def __init__(
        self,
        channels: int,
        between: int,
        out: int,
        kernel: tuple[int, int],
        kernel_res: tuple[int, int],
        activation: str = "gelu",
        batch_first: bool = True,
    ) -> None:
        super().__init__()
        gated = activation == "swiglu"
        entry = make_activation("silu" if gated else activation)
        middle = SwiGLU(axis=1) if gated else make_activation(activation)
        made = 2 * between if gated else between
        self.entry = _norm_and(entry, channels, channels, batch_first)
        self.conv1 = same_conv(channels, made, kernel)
        self.middle = _norm_and(middle, made, between, batch_first)
        self.conv2 = same_conv(between, out, kernel)
        self.conv_res = same_conv(channels, out, kernel_res)

    def forward(self, x_BCTF: torch.Tensor) -> torch.Tensor:
        entry_BCTF = self.entry(x_BCTF)
        return self.conv2(self.middle(self.conv1(entry_BCTF))) + self.conv_res(entry_BCTF)


def _norm_and(activation: nn.Module, before: int, after: int, batch_first: bool) -> nn.Sequential:
    """Norm and activation in their order; `before` and `after` count the channels around the activation."""
    if batch_first:
        return nn.Sequential(nn.BatchNorm2d(before), activation)
    return nn.Sequential(activation, nn.BatchNorm2d(after))
