"""The state of a stage in one file that is replaced atomically.

A safetensors file holds the tensors (network, average, optimizer); its header holds the progress as JSON. Records of
epochs are in metrics.jsonl, and random generators need no state: every draw is keyed by seed, stage, fold, epoch and
step.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from audiosurvey.errors import UserError
from audiosurvey.tensorfile import load_tensors, open_tensors, save_tensors
from audiosurvey.training.listener import Record


@dataclass
class EpochTotals:
    """Sums over the steps of an unfinished epoch."""

    steps: int = 0
    loss: float = 0.0
    correct: float | None = 0.0
    """None for multi-label data."""
    clips: int = 0
    others: int = 0
    """Those of the clips that are sounds of no class."""


@dataclass
class TrainingState:
    """The progress of a stage."""

    epoch: int = 0
    """Finished epochs."""
    step: int = 0
    """Optimizer steps taken."""
    best: list[float] | None = None
    """The best monitored score so far, greater is better."""
    best_epoch: int = 0
    done: bool = False
    first_step: int = 0
    """Where the schedule of the learning rate begins: after the steps of the run that this one continues."""
    totals: EpochTotals = field(default_factory=EpochTotals)


def save_state(
    path: Path,
    state: TrainingState,
    network: nn.Module,
    average: nn.Module | None,
    optimizer: torch.optim.Optimizer,
    scaler: Mapping[str, Any] | None = None,
) -> None:
    """Writes the state beside `path` and renames it there. `scaler`: the loss scaler's state (fp16)."""
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    if average is not None:
        tensors |= {f"average.{name}": value for name, value in average.state_dict().items()}
    for index, slots in optimizer.state_dict()["state"].items():
        for slot, value in slots.items():
            if value is not None:
                tensors[f"optimizer.{index}.{slot}"] = torch.as_tensor(value)
    save_tensors(path, tensors, {"state": json.dumps(asdict(state)), "scaler": json.dumps(scaler or {})})


def load_state(
    path: Path, network: nn.Module, average: nn.Module | None, optimizer: torch.optim.Optimizer
) -> tuple[TrainingState, dict[str, Any]]:
    """Restores a saved state; returns the progress and the loss scaler's state.

    Raises UserError for a file that is damaged, or the state of another network.
    """
    tensors, metadata = load_tensors(path, anew(path))
    progress, _ = _progress(path, metadata)
    state = optimizer.state_dict()
    slots: dict[int, dict[str, Any]] = {}
    for name, value in _under("optimizer.", tensors).items():
        index, slot = name.split(".", 1)
        slots.setdefault(int(index), {})[slot] = value
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state["state"] = {
        index: {slot: _laid_out_as(parameters[index], value) for slot, value in found.items()}
        for index, found in slots.items()
        if index < len(parameters)
    }
    try:
        network.load_state_dict(_under("network.", tensors))
        if average is not None:
            average.load_state_dict(_under("average.", tensors))
        optimizer.load_state_dict(state)
    except RuntimeError as error:
        raise UserError(f"{path}: the state of another network, or of another version; {anew(path)}") from error
    return progress, json.loads(metadata.get("scaler", "{}"))


def continue_state(source: Path, target: Path) -> None:
    """Copies the checkpoint of a training that has ended, for one that goes on from it: its schedule begins anew.

    Raises UserError for a damaged file.
    """
    tensors, metadata = load_tensors(source, "train that run again")
    progress, _ = _progress(source, metadata)
    progress.done, progress.first_step = False, progress.step
    save_tensors(target, tensors, {**metadata, "state": json.dumps(asdict(progress))})


def read_state(path: Path) -> tuple[TrainingState, list[Record] | None]:
    """The progress in this file, and the records of all epochs, which earlier versions kept in it; no tensors.

    Raises UserError for a damaged file.
    """
    with open_tensors(path, anew(path)) as file:
        return _progress(path, file.metadata() or {})


def anew(path: Path) -> str:
    """How to recover from a checkpoint that cannot be used."""
    return f"remove the folder {path.parent.as_posix()}, and resuming trains this stage from the start"


def _progress(path: Path, metadata: Mapping[str, str]) -> tuple[TrainingState, list[Record] | None]:
    try:
        # Earlier versions called it the journal.
        values = json.loads(metadata["state"] if "state" in metadata else metadata["journal"])
        records = values.pop("history", None)
        return TrainingState(**values | {"totals": EpochTotals(**values.get("totals", {}))}), records
    except (KeyError, ValueError, TypeError, AttributeError):
        raise UserError(f"{path}: no checkpoint of this version of audiosurvey; {anew(path)}") from None


def _laid_out_as(parameter: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """The value with the memory layout of the parameter: the fused optimizers need the same one."""
    if value.shape != parameter.shape:
        return value
    return torch.empty_like(parameter, dtype=value.dtype, device=value.device).copy_(value)


def _under(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
