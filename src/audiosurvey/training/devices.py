"""The accelerator: one object that knows the devices, the processes and the number format of a run."""

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from audiosurvey.training.precision import Precision, pick_device, pick_precision


def make_accelerator(device: str = "auto", precision: Precision = "auto") -> Accelerator:
    """An accelerator for this device and precision.

    accelerate keeps one state a process and refuses a second format; runs here follow each other in one process (a
    pretraining, a fold, a test), so the state of the run before is dropped first. Process groups are kept.
    """
    picked = pick_device(device)
    formats = {"fp32": "no", "bf16": "bf16", "fp16": "fp16"}
    distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
    AcceleratorState._reset_state(reset_partial_state=not distributed)
    return Accelerator(cpu=picked.type == "cpu", mixed_precision=formats[pick_precision(precision, picked)])
