"""From the name of an encoder to its files: a folder, or a repository of the Hugging Face Hub, which are cached."""

import json
import re
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from audiosurvey.errors import UserError, some_of
from audiosurvey.model.encoders.kinds import architecture_from, extractor_from, is_known

PREFIX = "hub:"
"""Begins `model.init` where weights come from a repository of the Hub."""
CONFIG, EXTRACTOR, HUB_WEIGHTS = "config.json", "preprocessor_config.json", "model.safetensors"
_INDEX = "model.safetensors.index.json"
_FILES = (CONFIG, EXTRACTOR, HUB_WEIGHTS, _INDEX, "model-*.safetensors")
"""All that is downloaded: data, no code, nothing pickled."""
_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def init_of(hub: str) -> str:
    """`model.init` for an encoder's weights."""
    return hub if is_folder(hub) else PREFIX + hub


def is_folder(hub: str) -> bool:
    try:
        return Path(hub).expanduser().is_dir()
    except (OSError, ValueError, RuntimeError):  # RuntimeError: `~name` of no user
        return False


def is_encoder_folder(path: Path) -> bool:
    """Whether a folder has the config of a model of `transformers` whose encoder can be used."""
    try:
        return path.is_dir() and is_known(read_json(path / CONFIG).get("model_type"))
    except UserError:
        return False


def read_settings(hub: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Architecture and feature extractor, downloaded where needed. Raises UserError in one line."""
    folder = Path(hub).expanduser() if is_folder(hub) else _fetched(hub, (CONFIG, EXTRACTOR))
    try:
        architecture = architecture_from(read_json(folder / CONFIG))
        return architecture, extractor_from(read_json(folder / EXTRACTOR), architecture)
    except UserError as error:
        raise UserError(f"{hub}: {error}" if not str(error).startswith(str(folder)) else str(error)) from None
    # transformers raises many kinds of errors for values that it does not accept.
    except Exception as error:
        raise UserError(f"{hub}: its settings cannot be read ({' '.join(str(error).split())[:120]})") from None


def cached_folder(init: str) -> Path | None:
    """The folder of weights named `hub:...`, if they are in the cache."""
    if find_spec("huggingface_hub") is None:
        return None
    try:
        return _snapshot(init.removeprefix(PREFIX), _FILES, local=True, need=True)
    except UserError:
        return None


def weights_folder(init: str) -> Path:
    """The folder of weights named `hub:...`, downloaded where needed. Raises UserError in one line."""
    return _fetched(init.removeprefix(PREFIX), _FILES, need=True)


def weights_files(folder: Path) -> list[Path]:
    """The files of the weights, in safetensors; UserError unless all of them are there."""
    index = folder / _INDEX
    names = _parts(index) if index.is_file() and not (folder / HUB_WEIGHTS).is_file() else [HUB_WEIGHTS]
    lacking = [name for name in names if not (folder / name).is_file()]
    if lacking:
        what = some_of(lacking, 3)
        raise UserError(f"{folder}: no {what} in this folder; copy it there (pickled files are not read)")
    return [folder / name for name in names]


def _parts(index: Path) -> list[str]:
    """The names of the files that weights are split into."""
    files = read_json(index).get("weight_map")
    if not isinstance(files, dict) or not files:
        raise UserError(f"{index}: names no files of weights; copy it again")
    return sorted(set(map(str, files.values())))


def _fetched(hub: str, files: tuple[str, ...], need: bool = False) -> Path:
    if _REPO.fullmatch(hub) is None:
        raise UserError(f"{hub}: no such folder, and not the name of a repository (user/name)")
    lacking = [name for name in ("huggingface_hub", "transformers") if find_spec(name) is None]
    if lacking:
        raise UserError(f"{hub}: {lacking[0]} is not installed; pip install 'audiosurvey[hub]'")
    try:
        return _snapshot(hub, files, local=True, need=need)
    except UserError:
        return _snapshot(hub, files, local=False, need=need)


def _snapshot(hub: str, files: tuple[str, ...], *, local: bool, need: bool) -> Path:
    mend = f"without a network, provide a folder with {CONFIG}, {EXTRACTOR} and {HUB_WEIGHTS}, and write hub: FOLDER"
    library = import_module("huggingface_hub")
    try:
        folder = Path(library.snapshot_download(hub, allow_patterns=list(files), local_files_only=local))
    # The exceptions differ between versions of huggingface_hub.
    except Exception as error:
        reason = "not reachable" if "404" not in str(error) else "no such repository"
        raise UserError(f"{hub}: cannot be downloaded from the Hub ({reason}); {mend}") from None
    lacking = [name for name in (CONFIG, EXTRACTOR) if not (folder / name).is_file()]
    if lacking:
        raise UserError(f"{hub}: the repository has no {lacking[0]}; it is not an audio encoder")
    if need:
        weights_files(folder)
    return folder


def read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; the folder of an encoder has it, copy it there") from None
    except (OSError, ValueError):
        raise UserError(f"{path}: cannot be read as JSON") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: cannot be read as the settings of a model")
    return content
