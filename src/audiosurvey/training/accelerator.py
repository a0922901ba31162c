"""The `Accelerator` of a run: its devices, processes and number format."""

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedDataParallelKwargs

from audiosurvey.errors import UserError
from audiosurvey.training.devices import check_device, pick_device
from audiosurvey.training.precision import Precision, pick_precision

_FORMATS: dict[Precision, str] = {"fp32": "no", "bf16": "bf16", "fp16": "fp16"}
"""Our names and those of accelerate."""


def make_accelerator(device: str = "auto", precision: Precision = "auto", *, thaws: bool = False) -> Accelerator:
    """An accelerator for this device and precision. Raises UserError for an unavailable one.

    `thaws`: parameters are unfrozen during training, so that some have no gradient at first. The global state of
    accelerate, which allows only one format, is reset first; process groups are kept.
    """
    check_device(device)
    picked = pick_device(device)
    format = pick_precision(precision, picked)
    if format == "fp16" and picked.type == "cpu":
        raise UserError("precision: fp16 needs a GPU; use bf16, fp32 or auto on a CPU")
    distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
    AcceleratorState._reset_state(reset_partial_state=not distributed)
    if picked.type == "cuda" and picked.index is not None and not distributed:
        # accelerate uses the current device.
        torch.cuda.set_device(picked)
    # `average_statistics` averages the batch-norm statistics of the processes; with torch's default, those of the first
    # process would overwrite the others before every forward pass.
    parallel = DistributedDataParallelKwargs(find_unused_parameters=thaws, broadcast_buffers=False)
    return Accelerator(cpu=picked.type == "cpu", mixed_precision=_FORMATS[format], kwargs_handlers=[parallel])


def number_format(accelerator: Accelerator) -> Precision:
    """The number format of this accelerator."""
    return next(ours for ours, theirs in _FORMATS.items() if theirs == accelerator.mixed_precision)
