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
    """Whether the processor multiplies tiles of bf16 (AMX).

    Dot products in bf16 alone (AVX-512 BF16) are no gain: convolutions with them were slower here than in float32.
    """
    asked = getattr(torch.cpu, "get_capabilities", None)
    if asked is not None:
        return bool(asked().get("amx_bf16", False))
    # Before torch had a public question for this.
    return bool(getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)())
