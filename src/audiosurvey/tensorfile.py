"""Files of named tensors (safetensors): their only reader and writer."""

import os
import re
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from audiosurvey.atomic import replacing
from audiosurvey.errors import UserError

WEIGHTS = "weights.safetensors"
"""Name of the file with the tensors of a network, in model folders and after pretraining."""


def save_tensors(path: Path, tensors: Mapping[str, torch.Tensor], metadata: dict[str, str] | None = None) -> None:
    """Writes the file beside `path` and renames it there. Raises OSError where the disk does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as beside:
        try:
            save_file(_writable(tensors), beside, metadata)
        except SafetensorError as error:
            # The system's error number is in the message only.
            found = re.search(r"os error (\d+)", str(error))
            if found is None:
                raise
            raise OSError(int(found[1]), os.strerror(int(found[1])), str(path)) from error
        if os.name == "posix":
            # safetensors writes files that nobody else may read, whatever the user's umask is.
            beside.chmod(0o666 & ~_umask())


@cache
def _umask() -> int:
    """The user's umask, from the mode of a new folder: reading it from the process means to change it for a moment."""
    with tempfile.TemporaryDirectory() as folder:
        (probe := Path(folder) / "probe").touch()
        return 0o666 & ~stat.S_IMODE(probe.stat().st_mode)


def _writable(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """On the CPU, contiguous and without shared memory, as safetensors requires; copied only where they are not."""
    found: dict[str, torch.Tensor] = {}
    owners: set[int] = set()
    for name, value in tensors.items():
        tensor = value.detach().cpu().contiguous()
        storage = tensor.untyped_storage()
        if storage.data_ptr() in owners or storage.nbytes() > tensor.nbytes:
            tensor = tensor.clone()
        owners.add(tensor.untyped_storage().data_ptr())
        found[name] = tensor
    return found


def load_tensors(path: Path, mend: str = "copy it again") -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """The tensors and the metadata of a file. Raises UserError, which ends in `mend`, if it is missing or damaged."""
    with open_tensors(path, mend) as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118


@contextmanager
def open_tensors(path: Path, mend: str = "copy it again") -> Iterator[Any]:
    """The open file, of which single tensors or the metadata can be read. Raises UserError as `load_tensors` does."""
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except FileNotFoundError:
        raise UserError(f"{path}: is missing; {mend}") from None
    except SafetensorError:
        raise UserError(f"{path}: damaged or incomplete; {mend}") from None
