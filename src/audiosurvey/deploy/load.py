"""From a path to a usable model: the one call behind `audiosurvey.load` and every command that takes a MODEL."""

from pathlib import Path

from audiosurvey.deploy.artefact import load_artefact
from audiosurvey.deploy.classifier import Classifier


def load(path: str | Path) -> Classifier:
    """The model in an artefact folder, on the processor, ready to predict.

    Raises UserError for what is not a model, is incomplete or was changed.
    """
    return load_artefact(path)
