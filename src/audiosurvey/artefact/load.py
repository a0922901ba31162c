"""From a path to a usable model: the one call behind `audiosurvey.load` and every command that takes a MODEL."""

from pathlib import Path

from audiosurvey.artefact.classifier import Classifier
from audiosurvey.artefact.exported import is_exported, load_exported
from audiosurvey.artefact.folder import load_artefact
from audiosurvey.artefact.hub import fetch, is_repo


def load(path: str | Path, *, trust: bool = False) -> Classifier:
    """Load a model folder or an exported file (.onnx, .pt2, .pte), on the CPU, ready to predict.

    `trust`: also open a .pt2 file, which can run any code that its author put there. Nothing else that is opened here
    runs code.

    A `user/name` that is no path here is a repository of the Hugging Face Hub (`user/name@revision` for one of its
    revisions). Raises UserError for what is not a model, is incomplete or was changed, or cannot be fetched.
    """
    path = Path(path) if Path(path).exists() else path
    if is_exported(Path(path)) and not Path(path).is_dir():
        return load_exported(Path(path), trust=trust)
    if is_repo(str(path)) and not Path(path).exists():
        path = fetch(str(path))
    return load_artefact(path)
