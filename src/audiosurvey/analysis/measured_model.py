"""The model that something was measured with: the digest of its weights, and whether the run still has them."""

from pathlib import Path

from audiosurvey.errors import UserError
from audiosurvey.runs.results.run_folder import RunFolder
from audiosurvey.runs.results.stored import read_json


def model_folder(run: RunFolder, fold: int | None) -> Path:
    """The folder of the model of a fold; None: of the final model. It need not exist."""
    return run.model if fold is None else run.fold(fold) / "model"


def model_digest(run: RunFolder, fold: int | None) -> str | None:
    """SHA-256 of the weights of a fold's model; None if the model was not kept. Raises UserError for damaged facts."""
    path = model_folder(run, fold) / "model.json"
    if not path.is_file():
        return None
    mend = "copy the whole folder again" if fold is None else run.mend_fold(fold)
    try:
        return str(read_json(path, mend)["sha256"]["weights.safetensors"])
    except (KeyError, TypeError):
        raise UserError(f"{path}: damaged, no SHA-256 of the weights; {mend}") from None


def still_has(run: RunFolder, fold: int | None, digest: str) -> bool:
    """Whether the model of a fold has these weights, or was not kept."""
    return model_digest(run, fold) in (None, digest)
