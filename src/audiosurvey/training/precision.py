"""Devices and number formats: what the machine is good at."""

import functools
import math
import time
from typing import Literal

import torch

from audiosurvey.threads import one_thread

Precision = Literal["auto", "fp32", "bf16", "fp16"]

CLEAR_GAIN = 1.2
"""Least gain for which `auto` leaves float32."""


def pick_device(name: str = "auto") -> torch.device:
    """`auto`: a CUDA device if there is one, else Apple's, else the processor."""
    if name != "auto":
        return torch.device(name)
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def pick_precision(precision: Precision, device: torch.device) -> Literal["fp32", "bf16", "fp16"]:
    """`auto` becomes bf16 where the device is faster in it, fp16 on older CUDA devices, else fp32."""
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bf16" if torch.cuda.get_device_capability(device)[0] >= 8 else "fp16"
    if device.type == "cpu" and fast_bf16_cpu():
        return "bf16"
    return "fp32"


@functools.cache
def fast_bf16_cpu() -> bool:
    """Whether this processor trains convolutions faster in bf16 than in float32.

    One with tiles of bf16 (AMX) does, one without bf16 does not. Dot products in bf16 alone (AVX-512 BF16) make them
    twice as fast in one processor and slower in another, which no flag tells: there a convolution is timed.
    """
    asked = getattr(torch.cpu, "get_capabilities", None)
    if asked is None:
        # Before torch had a public question for this.
        return bool(getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)())
    told = asked()
    if told.get("amx_bf16", False):
        return True
    return bool(told.get("avx512_bf16", False)) and convolution_gain() > CLEAR_GAIN


def convolution_gain(rounds: int = 8) -> float:
    """How many times faster a convolution is in bf16 than in float32, forward and backward, by this thread's processor
    time: the best of `rounds` each, taken in turn, which other work on the machine disturbs least."""
    best = {torch.float32: math.inf, torch.bfloat16: math.inf}
    with one_thread():
        for _ in range(rounds):
            for number_format, taken in best.items():
                best[number_format] = min(taken, _convolution_seconds(number_format))
    return best[torch.float32] / best[torch.bfloat16]


def _convolution_seconds(number_format: torch.dtype) -> float:
    """Of the middle of a network: 4 clips, 64 channels, 64 frames, 16 bands."""
    x = torch.ones(4, 64, 64, 16, dtype=number_format).contiguous(memory_format=torch.channels_last)
    weight = torch.ones(64, 64, 3, 3, dtype=number_format, requires_grad=True)
    x.requires_grad_(True)
    started = time.thread_time()
    torch.nn.functional.conv2d(x, weight, padding=1).sum().backward()
    return time.thread_time() - started
