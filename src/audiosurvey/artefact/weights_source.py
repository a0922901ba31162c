"""The provenance of the weights in a model folder, for runs that start from them.

Each function takes the file of the weights; a file that is in no model folder has no origin that is known.
"""

import json
from pathlib import Path

from audiosurvey.data.splits.provenance import Provenance
from audiosurvey.errors import UserError
from audiosurvey.model.weights.weightfile import sha256


def check_unchanged(weights: Path) -> None:
    """Raises UserError if the file is not the one that the model folder was written with."""
    facts = weights.with_name("model.json")
    if not facts.is_file():
        return
    try:
        digest = json.loads(facts.read_text(encoding="utf-8"))["sha256"][weights.name]
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{facts}: not a file of a model; copy the whole folder again") from None
    if digest != sha256(weights):
        raise UserError(f"{weights}: was changed since it was written; copy the whole folder again")


def provenance_of(weights: Path) -> Provenance:
    """The clips that the weights were trained on; none where that is not known."""
    beside = weights.with_name("trained_on.json")
    return Provenance.load(beside) if beside.is_file() else Provenance({})


def licence_of(weights: Path) -> str | None:
    """The licence under which the weights are passed on; None where that is not known."""
    facts = weights.with_name("model.json")
    try:
        return json.loads(facts.read_text(encoding="utf-8"))["licence"]["weights"] if facts.is_file() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
