"""The state of a stage at the end of an epoch, in one file that is replaced atomically.

A safetensors file holds the tensors (network, average, optimizer); its header holds everything else as JSON. No
generator's state is kept: every draw is named by seed, stage, fold, epoch and step.
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


@dataclass
class Journal:
    """How far a stage has come."""

    epoch: int = 0
    """Finished epochs."""
    step: int = 0
    """Optimizer steps taken."""
    best: list[float] | None = None
    """The best monitored score so far, greater is better."""
    best_epoch: int = 0
    done: bool = False
    history: list[dict[str, Any]] = field(default_factory=list)
    """The records of all epochs, as in metrics.jsonl."""


def save_state(
    path: Path,
    journal: Journal,
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
    metadata = {"journal": json.dumps(asdict(journal)), "scaler": json.dumps(scaler or {})}
    save_tensors(path, tensors, metadata)


def load_state(
    path: Path, network: nn.Module, average: nn.Module | None, optimizer: torch.optim.Optimizer
) -> tuple[Journal, dict[str, Any]]:
    """Puts a saved state back; returns how far the stage had come and the loss scaler's state.

    Raises UserError for a file that is damaged, or the state of another network.
    """
    tensors, metadata = load_tensors(path, anew(path))
    journal = _journal(path, metadata)
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
    return journal, json.loads(metadata.get("scaler", "{}"))


def read_journal(path: Path) -> Journal:
    """How far the stage in this file had come, without reading its tensors. Raises UserError for a damaged file."""
    with open_tensors(path, anew(path)) as file:
        return _journal(path, file.metadata() or {})


def anew(path: Path) -> str:
    """What to do about a useless checkpoint: only time is lost with it."""
    return f"remove the folder {path.parent.as_posix()}, and resuming trains this stage from its beginning"


def _journal(path: Path, metadata: Mapping[str, str]) -> Journal:
    try:
        return Journal(**json.loads(metadata["journal"]))
    except (KeyError, ValueError, TypeError):
        raise UserError(f"{path}: no checkpoint of this version of audiosurvey; {anew(path)}") from None


def _laid_out_as(parameter: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """The value in memory as the parameter is: files keep rows, the fused optimizers walk both in one pass."""
    if value.shape != parameter.shape:
        return value
    return torch.empty_like(parameter, dtype=value.dtype, device=value.device).copy_(value)


def _under(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
