"""Reads files of weights as plain tensors, and never runs what they hold.

Enters: a safetensors file, a folder with one, or a file of torch.save; leaves: named tensors. Files of torch.save are
opened with `weights_only`: tensors, numbers, text and lists of them, numpy arrays included; anything else is refused.
"""

import hashlib
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from audiosurvey.data.splits.provenance import Provenance
from audiosurvey.errors import UserError
from audiosurvey.features.agreement import FrontEnd
from audiosurvey.features.earlier import earlier_mel, is_earlier
from audiosurvey.features.mel import MelConfig
from audiosurvey.model.grammar import ModelConfig
from audiosurvey.plainfile import not_plain
from audiosurvey.tensorfile import load_tensors

Tensors = dict[str, torch.Tensor]

OWN = "weights.safetensors"
_WRAPPERS = ("model", "state_dict")
"""Keys under which checkpoints keep their tensors beside the state of their training."""


def read_weights(path: Path) -> Tensors:
    """The tensors of a file, or of the artefact in a folder. Raises UserError, in one line, for anything else."""
    file = artefact_file(path) if path.is_dir() else path
    if fault := not_plain(file):
        raise UserError(f"{path}: {fault}; expected safetensors or a file of torch.save")
    try:
        with file.open("rb") as opened:
            beginning = opened.read(9)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None
    if beginning[8:] == b"{":
        return _safetensors(file)
    return _torch_file(file)


def artefact_file(folder: Path) -> Path:
    """The weights of an artefact: of the folder itself, or of the `model` in it."""
    for place in (folder, folder / "model"):
        if (place / OWN).is_file():
            return place / OWN
    inside = sorted(found.parent.as_posix() for found in folder.glob(f"fold-*/model/{OWN}"))
    hint = f"; models here: {', '.join(inside)}" if inside else ""
    raise UserError(f"{folder}: no {OWN} in this folder{hint}")


def artefact_front_end(path: Path) -> FrontEnd | None:
    """What an artefact of ours was trained with, by the config beside its weights; None where there is none."""
    beside = (artefact_file(path) if path.is_dir() else path).with_name("config.yaml")
    if not beside.is_file():
        return None
    try:
        config = yaml.safe_load(beside.read_text(encoding="utf-8"))
        section = config["mel_spectrogram"]
        mel = MelConfig.model_validate(earlier_mel(section) if is_earlier(config) else section)
        hears = ModelConfig.model_validate(config.get("model", {})).hears
        return FrontEnd(int(config["sample_rate"]), mel if "mel" in hears else None)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError):
        raise UserError(f"{beside}: is not the config of a model; copy the whole folder again") from None


def artefact_heard(path: Path) -> Provenance:
    """The clips that an artefact of ours was trained on; none where not known."""
    beside = (artefact_file(path) if path.is_dir() else path).with_name("trained_on.json")
    return Provenance.load(beside) if beside.is_file() else Provenance({})


def artefact_licence(path: Path) -> str | None:
    """Under which licence the weights of an artefact of ours are passed on; None where that is not known."""
    beside = (artefact_file(path) if path.is_dir() else path).with_name("model.json")
    try:
        return json.loads(beside.read_text(encoding="utf-8"))["licence"]["weights"] if beside.is_file() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def sha256(path: Path) -> str:
    """Of the file, or of the weights in the folder."""
    with (artefact_file(path) if path.is_dir() else path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _safetensors(file: Path) -> Tensors:
    facts = file.with_name("model.json")
    if facts.is_file():
        try:
            digest = json.loads(facts.read_text(encoding="utf-8"))["sha256"][file.name]
        except (ValueError, KeyError, TypeError):
            raise UserError(f"{facts}: is not that of a model; copy the whole folder again") from None
        if digest != sha256(file):
            raise UserError(f"{file}: was changed since it was written; copy the whole folder again")
    return load_tensors(file)[0]


def _torch_file(file: Path) -> Tensors:
    try:
        with torch.serialization.safe_globals(_numpy_arrays()), warnings.catch_warnings():
            # torch's thoughts on the pickle of a file that is none of its own.
            warnings.simplefilter("ignore")
            content = torch.load(file, map_location="cpu", weights_only=True)
    # A damaged file can raise nearly anything while it is read.
    except Exception as error:
        if "Unsupported global" in str(error) or "Unsupported class" in str(error):
            raise UserError(f"{file}: holds more than tensors (pickled code), which is never run") from None
        wanted = "expected safetensors or a file of torch.save"
        raise UserError(f"{file}: not a file of weights, or damaged; {wanted}") from None
    while isinstance(content, Mapping) and (inner := _wrapped(content)) is not None:
        content = inner
    if not isinstance(content, Mapping) or not content or not all(map(torch.is_tensor, content.values())):
        raise UserError(f"{file}: holds no table of named tensors, so it is no checkpoint of a network")
    return {str(name): tensor for name, tensor in content.items()}


def _wrapped(content: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return next((content[key] for key in _WRAPPERS if isinstance(content.get(key), Mapping)), None)


def _numpy_arrays() -> list[Any]:
    """What a pickled numpy array is made of: checkpoints of PANNs keep the state of their sampler in such."""
    reconstruct: Any = np.empty(0).__reduce__()[0]
    scalar: Any = np.float64(0).__reduce__()[0]
    kinds = [type(np.dtype(code)) for code in "?bBhHiIlLqQefd"]
    old = [(reconstruct, "numpy.core.multiarray._reconstruct"), (scalar, "numpy.core.multiarray.scalar")]
    return [np.ndarray, np.dtype, reconstruct, scalar, *old, *kinds]
