"""Devices: those available, and the choice of one."""

import os

import torch

from audiosurvey.errors import UserError

_KINDS = ("cpu", "cuda", "mps", "xpu")


def pick_device(name: str = "auto") -> torch.device:
    """`auto`: CUDA if available, else MPS, else the CPU."""
    if name != "auto":
        return torch.device(name)
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def check_device(device: str) -> None:
    """Raises UserError for a device that this machine does not have."""
    try:
        there = device == "auto" or torch.device(device).type in _KINDS
        torch.empty(0, device="cpu" if device == "auto" else device)
    except (RuntimeError, AssertionError, NotImplementedError):
        there = False
    if not there:
        meant = "did you mean cuda (mps on a Mac)? " if device.lower().startswith("gpu") else ""
        raise UserError(f"device {device}: not available on this machine; {meant}cpu always is")


def is_first_process() -> bool:
    """Whether this process is the first of those that torchrun started, or the only one."""
    return os.environ.get("RANK", "0") == "0"
