"""Devices and number formats: what the machine is good at."""

from typing import Literal

import torch

Precision = Literal["auto", "fp32", "bf16", "fp16"]


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
    """`auto` becomes bf16 where the device multiplies bf16 in hardware, fp16 on older CUDA devices, else fp32."""
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bf16" if torch.cuda.get_device_capability(device)[0] >= 8 else "fp16"
    if device.type == "cpu" and fast_bf16_cpu():
        return "bf16"
    return "fp32"


def fast_bf16_cpu() -> bool:
    """Whether the processor has bf16 dot products (AVX-512 BF16 or AMX)."""
    # torch has no public question for this; a version without these names is answered with "no".
    asked = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, lambda: False)() for name in asked)
