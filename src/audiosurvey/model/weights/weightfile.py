"""Reads files of weights as plain tensors, and never runs code in them.

Input: a safetensors file or a file of torch.save; output: named tensors. Files of torch.save are opened with
`weights_only`: tensors, numbers, text, lists of them and numpy arrays; anything else is refused.
"""

import hashlib
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from audiosurvey.errors import UserError
from audiosurvey.model.encoders.hub_folder import HUB_WEIGHTS
from audiosurvey.plainfile import not_plain
from audiosurvey.tensorfile import WEIGHTS, load_tensors

Tensors = dict[str, torch.Tensor]

_WRAPPERS = ("model", "state_dict")
"""Keys under which checkpoints keep their tensors beside the state of their training."""


def weights_file(path: Path) -> Path:
    """The file itself; for a folder, the weights in it, also under the name they have on the Hugging Face Hub, or in
    the `model` folder in it. Raises UserError for none."""
    if not path.is_dir():
        return path
    for file in (path / WEIGHTS, path / "model" / WEIGHTS, path / HUB_WEIGHTS):
        if file.is_file():
            return file
    inside = sorted(found.parent.as_posix() for found in path.glob(f"fold-*/model/{WEIGHTS}"))
    hint = f"; models here: {', '.join(inside)}" if inside else ""
    raise UserError(f"{path}: no {WEIGHTS} or {HUB_WEIGHTS} in this folder{hint}")


def read_weights(file: Path) -> Tensors:
    """The tensors of a file. Raises UserError, in one line, for anything else."""
    if fault := not_plain(file):
        raise UserError(f"{file}: {fault}; expected safetensors or a file of torch.save")
    try:
        with file.open("rb") as opened:
            beginning = opened.read(9)
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror or error})") from None
    return load_tensors(file)[0] if beginning[8:] == b"{" else _torch_file(file)


def sha256(file: Path) -> str:
    """The digest of a file, in hexadecimal."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _torch_file(file: Path) -> Tensors:
    try:
        with torch.serialization.safe_globals(_numpy_arrays()), warnings.catch_warnings():
            # torch warns about pickles that it did not write.
            warnings.simplefilter("ignore")
            content = torch.load(file, map_location="cpu", weights_only=True)
    # A damaged file can raise nearly anything while it is read.
    except Exception as error:
        if "Unsupported global" in str(error) or "Unsupported class" in str(error):
            raise UserError(f"{file}: contains pickled code, which is never run; expected tensors only") from None
        wanted = "expected safetensors or a file of torch.save"
        raise UserError(f"{file}: not a file of weights, or damaged; {wanted}") from None
    while isinstance(content, Mapping) and (inner := _wrapped(content)) is not None:
        content = inner
    if not isinstance(content, Mapping) or not content or not all(map(torch.is_tensor, content.values())):
        raise UserError(f"{file}: does not contain named tensors, so it is not a checkpoint of a network")
    return {str(name): tensor for name, tensor in content.items()}


def _wrapped(content: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return next((content[key] for key in _WRAPPERS if isinstance(content.get(key), Mapping)), None)


def _numpy_arrays() -> list[Any]:
    """The classes in a pickled numpy array: checkpoints of PANNs hold the state of their sampler in such."""
    reconstruct: Any = np.empty(0).__reduce__()[0]
    scalar: Any = np.float64(0).__reduce__()[0]
    kinds = [type(np.dtype(code)) for code in "?bBhHiIlLqQefd"]
    old = [(reconstruct, "numpy.core.multiarray._reconstruct"), (scalar, "numpy.core.multiarray.scalar")]
    return [np.ndarray, np.dtype, reconstruct, scalar, *old, *kinds]
