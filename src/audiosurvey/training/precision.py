"""Automatic choice of the number format."""

import functools
import math
import time
from typing import Literal

import torch

from audiosurvey.threads import one_thread

Precision = Literal["auto", "fp32", "bf16", "fp16"]

CLEAR_GAIN = 1.2
"""Minimum speed-up over float32 for which `auto` chooses bf16."""


def pick_precision(precision: Precision, device: torch.device) -> Literal["fp32", "bf16", "fp16"]:
    """`auto`: bf16 if the device is faster in it, fp16 on older CUDA devices, else fp32."""
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bf16" if torch.cuda.get_device_capability(device)[0] >= 8 else "fp16"
    if device.type == "cpu" and fast_bf16_cpu():
        return "bf16"
    return "fp32"


@functools.cache
def fast_bf16_cpu() -> bool:
    """Whether this CPU trains convolutions faster in bf16 than in float32.

    True with AMX, false without bf16 instructions. With AVX-512 BF16 alone, some CPUs are twice as fast and others
    slower, so a convolution is timed.
    """
    asked = getattr(torch.cpu, "get_capabilities", None)
    if asked is None:
        # Older versions of torch have no public API for this.
        return bool(getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)())
    told = asked()
    if told.get("amx_bf16", False):
        return True
    return bool(told.get("avx512_bf16", False)) and convolution_gain() > CLEAR_GAIN


def convolution_gain(rounds: int = 8) -> float:
    """Speed-up of a convolution in bf16 over float32, forward and backward, in CPU time of this thread: the best of
    `rounds` alternating measurements, which is robust to other load."""
    best = {torch.float32: math.inf, torch.bfloat16: math.inf}
    with one_thread():
        for _ in range(rounds):
            for number_format, taken in best.items():
                best[number_format] = min(taken, _convolution_seconds(number_format))
    return best[torch.float32] / best[torch.bfloat16]


def _convolution_seconds(number_format: torch.dtype) -> float:
    """A typical layer: 4 clips, 64 channels, 64 frames, 16 bands."""
    x = torch.ones(4, 64, 64, 16, dtype=number_format).contiguous(memory_format=torch.channels_last)
    weight = torch.ones(64, 64, 3, 3, dtype=number_format, requires_grad=True)
    x.requires_grad_(True)
    started = time.thread_time()
    torch.nn.functional.conv2d(x, weight, padding=1).sum().backward()
    return time.thread_time() - started
