"""The `res` block: a pre-activation residual block with a convolution on the shortcut."""

from typing import Annotated

import torch
from pydantic import PrivateAttr
from torch import nn

from audiosurvey.model.activations import SwiGLU, is_gate, make_activation
from audiosurvey.model.blocks.convolution import same_conv, same_reach
from audiosurvey.model.blocks.fields import Width, takes
from audiosurvey.model.blocks.item import BlockItem
from audiosurvey.model.blocks.res_block import ResBlockConfig
from audiosurvey.model.shapes import Reach, Shape, strided_shape


class ResItem(BlockItem):
    """A pre-activation residual block, as [hidden channels, output channels]; kernel sizes and activation are set in
    `model.res_block`."""

    res: Annotated[tuple[Width, Width], takes("two channel counts, [between the convolutions, out]", 2)]
    _shared: ResBlockConfig = PrivateAttr(default_factory=ResBlockConfig)

    def bound(self, member: int, res_block: ResBlockConfig) -> "ResItem":
        item = self.model_copy()
        item._shared = res_block
        return item

    def output_shape(self, shape: Shape) -> Shape:
        return strided_shape("res", shape, self.res[1], (1, 1))

    def build(self, shape: Shape) -> nn.Module:
        shared = self._shared
        return Res(
            shape[0],
            *self.res,
            kernel=shared.kernel_size,
            kernel_res=shared.kernel_size_res,
            activation="swiglu" if is_gate(shared.activation) else str(shared.activation),
            batch_first=shared.batch_first,
        )

    def reach(self, shape: Shape) -> tuple[Reach, ...]:
        twice, beside = same_reach(self._shared.kernel_size), same_reach(self._shared.kernel_size_res)
        # The wider of the two paths: two convolutions in a row, or the one on the shortcut.
        extent = [max(2 * twice.kernel[axis] - 1, beside.kernel[axis]) for axis in (0, 1)]
        return (Reach((extent[0], extent[1])),)


class Res(nn.Module):
    """Pre-activation residual block (B, C, T, F) -> (B, out, T, F).

    entry = act(norm(x)); out = conv2(act(norm(conv1(entry)))) + conv_res(entry). All convolutions have a bias. With
    `swiglu`, conv1 has twice the output channels, and the first activation is SiLU.
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
    """Norm and activation in either order; `before` and `after` are the channels around the activation."""
    if batch_first:
        return nn.Sequential(nn.BatchNorm2d(before), activation)
    return nn.Sequential(activation, nn.BatchNorm2d(after))
