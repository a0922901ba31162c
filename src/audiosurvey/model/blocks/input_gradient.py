"""The gradient of a convolution with respect to a spectrogram of one channel, on the CPU.

The trained batch-norm before the first convolution needs it. oneDNN has no fast kernel for the gradient of one channel:
in `tiny` it took more time than any other operation of a step. Here, several bands become the channels of a transposed
convolution over time, whose results overlap and are added.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

_BLOCK = 4
"""Bands of the output taken together: with 5 x 5 kernels and stride 2, they meet 11 bands of the input."""


def has_fast_gradient(conv: nn.Conv2d, input_BCTF: torch.Tensor) -> bool:
    """Whether `with_input_gradient` applies: training on the CPU, one input channel, a kernel with overlap."""
    if not (conv.training and input_BCTF.requires_grad and torch.is_grad_enabled() and input_BCTF.device.type == "cpu"):
        return False
    kernel_f, stride_f = conv.kernel_size[1], conv.stride[1]
    zeros = conv.padding_mode == "zeros" and not isinstance(conv.padding, str)
    return conv.in_channels == 1 and zeros and conv.dilation == (1, 1) and stride_f < kernel_f <= 5 * stride_f


def with_input_gradient(conv: nn.Conv2d, input_B1TF: torch.Tensor) -> torch.Tensor:
    """`conv(input)` with the same values; only the gradient with respect to the input is computed in another way."""
    output = F.conv2d(input_B1TF.detach(), conv.weight, conv.bias, conv.stride, conv.padding)  # pyright: ignore[reportArgumentType]
    return _InputGradient.apply(output, input_B1TF, conv.weight, conv.stride, conv.padding)  # pyright: ignore[reportReturnType]


def input_gradient(
    gradient_BCTF: torch.Tensor,
    weight_C1TF: torch.Tensor,
    size: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
) -> torch.Tensor:
    """The gradient (B, 1, T, F) with respect to an input of `size` (T, F), from that of the output.

    Output band f of the block b and tap j of the kernel meet input band stride * (BLOCK * b + f) + j - padding.
    """
    (frames, bands), (stride_t, stride_f), (pad_t, pad_f) = size, stride, padding
    channels, _, kernel_t, kernel_f = weight_C1TF.shape
    gradient_BCTF = F.pad(gradient_BCTF, (0, -gradient_BCTF.shape[3] % _BLOCK))
    size_b, _, out_frames, out_bands = gradient_BCTF.shape
    blocks, step = out_bands // _BLOCK, _BLOCK * stride_f
    reach = step - stride_f + kernel_f

    weight = weight_C1TF.new_zeros(_BLOCK, channels, reach, kernel_t)
    for band in range(_BLOCK):
        weight[band, :, band * stride_f : band * stride_f + kernel_f] = weight_C1TF[:, 0].transpose(1, 2)
    # A view, in channels-last layout.
    blocked = gradient_BCTF.permute(0, 2, 3, 1).reshape(size_b, out_frames, blocks, _BLOCK * channels)
    more = frames - ((out_frames - 1) * stride_t - 2 * pad_t + kernel_t)
    parts = F.conv_transpose2d(
        blocked.permute(0, 3, 1, 2), weight.flatten(0, 1)[..., None], None, (stride_t, 1), (pad_t, 0), (more, 0)
    )
    parts = parts.permute(0, 2, 3, 1).to(torch.promote_types(parts.dtype, torch.float32))

    width = max((blocks + 1) * step, pad_f + bands)
    total = F.pad(parts[..., :step].flatten(2), (0, width - blocks * step))
    total[..., step : (blocks + 1) * step].unflatten(2, (blocks, step))[..., : reach - step] += parts[..., step:]
    # Without the copy, the backward pass of the batch-norm before takes a slow path.
    return total[:, None, :, pad_f : pad_f + bands].contiguous()


class _InputGradient(torch.autograd.Function):
    """The identity on the output of a convolution, which passes a gradient to its input."""

    generate_vmap_rule = True

    @staticmethod
    def forward(output: torch.Tensor, *_: object) -> torch.Tensor:
        return output.view_as(output)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: torch.Tensor) -> None:
        _, given, weight, ctx.stride, ctx.padding = inputs
        ctx.save_for_backward(weight)
        ctx.size, ctx.dtype = tuple(given.shape[2:]), given.dtype

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        (weight,) = ctx.saved_tensors
        to_input = input_gradient(gradient, weight.to(gradient.dtype), ctx.size, ctx.stride, ctx.padding)
        return gradient, to_input.to(ctx.dtype), None, None, None
