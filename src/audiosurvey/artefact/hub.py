"""Download models from the Hugging Face Hub and publish them there; a repository is a model folder.

Downloads are cached by huggingface_hub, so that a model loads without a network the next time.
"""

import re
from dataclasses import dataclass
from glob import escape
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from audiosurvey.artefact.exported import is_exported
from audiosurvey.artefact.folder import FILES, find_model, load_artefact, without_golden_clips
from audiosurvey.artefact.golden import check_golden
from audiosurvey.artefact.licence import NOT_STATED, non_commercial
from audiosurvey.errors import UserError
from audiosurvey.model.encoders.file_encoder import FileEncoder

_REPO = re.compile(r"(?P<repo>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@(?P<revision>[\w./-]+))?")
_OFFLINE = ("LocalEntryNotFoundError", "OfflineModeIsEnabled", "ConnectError", "ConnectTimeout", "ReadTimeout")
_TRUSTED = ".pt2"
"""Suffix of exported files that can run code when they are opened: they are not published."""


def is_repo(name: str) -> bool:
    """Whether `name` has the form of a repository: `user/name` or `user/name@revision`."""
    return _REPO.fullmatch(name) is not None


def fetch(name: str) -> Path:
    """Download the model folder of a repository: only the files of a model, none of which is code.

    Raises UserError without huggingface_hub or a network, and if the repository does not exist or is not a model.
    """
    found = _REPO.fullmatch(name)
    assert found is not None, "checked by is_repo"
    hub = _hub(name)
    try:
        folder = Path(hub.snapshot_download(found["repo"], revision=found["revision"], allow_patterns=list(FILES)))
    # The exceptions differ between versions of huggingface_hub.
    except Exception as error:
        raise UserError(f"{name}: no such file or folder, and from the Hub: {_one_line(error)}") from error
    if not (folder / "model.json").is_file():
        raise UserError(f"{name}: this repository of the Hub is not an audiosurvey model (it has no model.json)")
    return folder


@dataclass(frozen=True)
class Pushed:
    """The result of `push`."""

    url: str
    difference: float
    """Largest difference of the golden clips' logits."""
    licence: str
    """Of the weights."""
    lines: list[str]
    """Messages."""


def push(model_path: Path, repo: str, *, private: bool = False, golden_clips: bool = True) -> Pushed:
    """Upload a model to a repository of the Hub, which is created if necessary.

    `golden_clips`: False uploads made sounds in place of the golden clips, which are training audio. Exported files in
    the folder are uploaded too, except for .pt2 files.

    Raises UserError, before anything is uploaded, for a folder that is incomplete or changed or whose golden clips give
    other logits; also without a token or a network, and if the repository cannot be written.
    """
    if not is_repo(repo) or "@" in repo:
        raise UserError(f"{repo}: not the name of a repository; expected a name such as user/name")
    folder = find_model(model_path)
    model = load_artefact(folder)
    difference = check_golden(model)
    assert model.golden is not None
    if not difference <= model.golden.tolerance:
        raise UserError(
            f"{folder}: its golden clips give other logits than when it was written (difference {difference:.2g}, "
            f"allowed {model.golden.tolerance:.2g}); nothing was pushed"
        )
    hub = _hub(repo)
    if hub.get_token() is None:
        raise UserError(f"{repo}: no token for the Hub; log in with 'hf auth login', or set HF_TOKEN")
    exports = sorted(entry.name for entry in folder.iterdir() if is_exported(entry))
    left_out = [name for name in exports if name.endswith(_TRUSTED)]
    exports = [name for name in exports if name not in left_out]
    message = f"audiosurvey {model.facts['version']} model"
    with TemporaryDirectory(prefix="audiosurvey-") as beside:
        made = model.golden.made or not golden_clips
        upload = folder if golden_clips or model.golden.made else without_golden_clips(folder, Path(beside) / "model")
        try:
            hub.create_repo(repo, private=private, exist_ok=True)
            hub.upload_folder(
                repo_id=repo,
                folder_path=str(upload),
                allow_patterns=[*FILES, *(_pattern(folder / name) for name in exports)],
                commit_message=message,
            )
        except Exception as error:
            raise UserError(f"{repo}: not pushed: {_one_line(error)}") from error
    licence = model.facts["licence"]["weights"]
    url = f"https://huggingface.co/{repo}"
    lines = [
        f"pushed: {folder} to {url}",
        f"golden clips: largest difference of logits {difference:.2g}",
        f"licence of the weights: {licence}",
        "included: no training audio"
        if made
        else f"included: {len(model.golden.clips)} training clips (golden clips), under the licence of the data; "
        "--no-golden-clips leaves them out",
    ]
    for block in model.network.blocks:
        if isinstance(block, FileEncoder):
            lines.append(f"included: {block.name}, the file of the encoder, under its own licence")
    if exports:
        lines.append(f"exported files: {', '.join(exports)}")
    if left_out:
        lines.append(f"not included: {', '.join(left_out)}, which can run code when it is opened")
    if non_commercial(licence):
        lines.append("non-commercial: the model must not be used commercially, as its card states")
    if licence == NOT_STATED:
        lines.append("licence: none is stated; add one to README.md of the repository, or nobody may use the model")
    return Pushed(url, difference, licence, lines)


def _pattern(exported: Path) -> str:
    """The pattern of huggingface_hub for one exported file, or for all files of a package."""
    return escape(exported.name) + ("/*" if exported.is_dir() else "")


def _hub(name: str) -> Any:
    try:
        return import_module("huggingface_hub")
    except ImportError:
        raise UserError(
            f"{name}: no such file or folder; models on the Hub need huggingface_hub: pip install 'audiosurvey[hub]'"
        ) from None


def _one_line(error: Exception) -> str:
    """The error in one line."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    status = getattr(getattr(error, "response", None), "status_code", None)
    if kinds & {"GatedRepoError"}:
        return "access must be requested on the page of the repository"
    if kinds & {"RepositoryNotFoundError"}:
        return "no such repository, or a private one that your token cannot access"
    if kinds & {"RevisionNotFoundError"}:
        return "the repository has no such revision"
    if kinds & set(_OFFLINE):
        return "not reachable; is there a network connection?"
    if status in (401, 403):
        return "your token lacks write access to the repository"
    lines = str(error).split("\n\n")[-1].split("\n")
    return next((line.strip() for line in lines if line.strip()), type(error).__name__)
