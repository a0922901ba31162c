"""Models on the Hugging Face Hub: the same folder there as here. Fetched by name, pushed once it is known to be intact.

huggingface_hub is asked for two things only, a snapshot of a repository and the upload of a folder; it keeps what it
fetched in its own cache, so that a model fetched once loads without a network.
"""

import re
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from audiosurvey.artefact.folder import FILES, find_model, load_artefact
from audiosurvey.artefact.golden import check_golden
from audiosurvey.artefact.licence import NOT_STATED, non_commercial
from audiosurvey.errors import UserError

_REPO = re.compile(r"(?P<repo>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@(?P<revision>[\w./-]+))?")
_NOT_THERE = ("RepositoryNotFoundError", "GatedRepoError")
_OFFLINE = ("LocalEntryNotFoundError", "OfflineModeIsEnabled", "ConnectError", "ConnectTimeout", "ReadTimeout")
_EXPORTS = ("*.onnx",)
"""What `export` may have put beside a model."""


def is_repo(name: str) -> bool:
    """Whether this can be the name of a repository: `user/name`, or `user/name@revision`."""
    return _REPO.fullmatch(name) is not None


def fetch(name: str) -> Path:
    """The folder with the model of a repository; of its files only those that make up a model, none of them code.

    Raises UserError in one line: no huggingface_hub, no network, no such repository, or one that is not a model.
    """
    found = _REPO.fullmatch(name)
    assert found is not None, "who calls this has asked is_repo"
    hub = _hub(name)
    try:
        folder = Path(hub.snapshot_download(found["repo"], revision=found["revision"], allow_patterns=list(FILES)))
    # Whatever the Hub, the network or the disk answers: which exceptions there are differs from version to version.
    except Exception as error:
        raise UserError(f"{name}: no such file or folder, and from the Hub: {_in_words(error)}") from error
    if not (folder / "model.json").is_file():
        raise UserError(f"{name}: this repository of the Hub is not an audiosurvey model (it has no model.json)")
    return folder


@dataclass(frozen=True)
class Pushed:
    """What `push` did."""

    url: str
    difference: float
    """Of the golden clips' logits, before anything was sent."""
    licence: str
    """Of the weights."""
    lines: list[str]
    """For a reader."""


def push(model_path: Path, repo: str, *, private: bool = False) -> Pushed:
    """Puts a model into a repository of the Hub, which is made where there is none.

    Raises UserError, before anything is sent, for a folder that is incomplete or changed or whose golden clips do not
    give what they gave; then for a missing token, no network, or a repository that may not be written.
    """
    if not is_repo(repo) or "@" in repo:
        raise UserError(f"{repo}: not the name of a repository; expected one such as user/name")
    folder = find_model(model_path)
    model = load_artefact(folder)
    difference = check_golden(model)
    assert model.golden is not None
    if not difference <= model.golden.tolerance:
        raise UserError(
            f"{folder}: its golden clips give other logits than when it was made (difference {difference:.2g}, allowed "
            f"{model.golden.tolerance:.2g}); nothing was pushed"
        )
    hub = _hub(repo)
    if hub.get_token() is None:
        raise UserError(f"{repo}: no token for the Hub; log in with 'hf auth login', or set HF_TOKEN")
    message = f"audiosurvey {model.facts['version']} model"
    try:
        hub.create_repo(repo, private=private, exist_ok=True)
        hub.upload_folder(
            repo_id=repo, folder_path=str(folder), allow_patterns=[*FILES, *_EXPORTS], commit_message=message
        )
    except Exception as error:
        raise UserError(f"{repo}: not pushed: {_in_words(error)}") from error
    licence = model.facts["licence"]["weights"]
    url = f"https://huggingface.co/{repo}"
    lines = [
        f"pushed: {folder} to {url}",
        f"golden clips: largest difference of logits {difference:.2g}",
        f"licence of the weights: {licence}",
        f"included: sounds of {len(model.golden.clips)} training clips (golden clips), under the licence of the data",
    ]
    if non_commercial(licence):
        lines.append("non-commercial: whoever takes this model must not use it commercially; the card says so")
    if licence == NOT_STATED:
        lines.append("licence: none is stated; write one into README.md of the repository, or nobody may use the model")
    return Pushed(url, difference, licence, lines)


def _hub(name: str) -> Any:
    try:
        return import_module("huggingface_hub")
    except ImportError:
        raise UserError(
            f"{name}: no such file or folder; models of the Hub need huggingface_hub: pip install 'audiosurvey[hub]'"
        ) from None


def _in_words(error: Exception) -> str:
    """What went wrong, in one line."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    status = getattr(getattr(error, "response", None), "status_code", None)
    if kinds & {"GatedRepoError"}:
        return "access to the repository has to be asked for on its page"
    if kinds & {"RepositoryNotFoundError"}:
        return "no such repository, or a private one that your token does not open"
    if kinds & {"RevisionNotFoundError"}:
        return "the repository has no such revision"
    if kinds & set(_OFFLINE):
        return "cannot be reached; is there a network?"
    if status in (401, 403):
        return "your token may not do this; it needs write access to the repository"
    lines = str(error).split("\n\n")[-1].split("\n")
    return next((line.strip() for line in lines if line.strip()), type(error).__name__)
