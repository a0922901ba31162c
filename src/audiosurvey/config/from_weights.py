"""What a config leaves out is that of the weights of `model.init`: the front end, and the network of a model of ours.

Keys that the config gives win. The checks then report those that do not agree with the weights.
"""

from typing import Any

from pydantic import ValidationError

from audiosurvey.config.init_weights import settings_of
from audiosurvey.config.reading.document import Document, Place
from audiosurvey.config.resolved import plain
from audiosurvey.errors import Fault, UserError
from audiosurvey.features.agreement import FrontEnd
from audiosurvey.features.mel import MelConfig
from audiosurvey.model.grammar import ModelConfig

_NETWORK = ("res_block", "initial", "blocks", "views", "members")
"""The keys of `model` that make the network; the others say how it is trained."""


def fill_from_weights(document: Document) -> list[Fault]:
    """Puts what the weights determine into the document, if they are here, and returns a note on what was taken.

    There is a note for models of ours alone: the front end of published weights is known from their name.
    """
    model, mel = document.data.get("model"), document.data.get("mel_spectrogram")
    init = model.get("init") if isinstance(model, dict) else None
    if not isinstance(init, str) or not init or not isinstance(mel, dict | None):
        return []
    try:
        trained = settings_of(init)
    except UserError:
        # The check of the weights reports it, with its position.
        return []
    place = document.place(("model", "init"))
    taken = _fill_network(document, trained.network, place) if trained.network else []
    taken += _fill_front_end(document, trained.front_end, place) if trained.front_end else []
    if trained.network is None or not taken:
        return []
    return [Fault(("model", "init"), f"{', '.join(taken)} of {init}")]


def _fill_network(document: Document, network: ModelConfig, place: Place) -> list[str]:
    """Fills in the network, unless the config gives one. Returns what was taken, in words."""
    model = document.data["model"]
    if model.get("blocks") is not None or model.get("preset") is not None:
        return []
    given = [key for key in _NETWORK if model.get(key) is not None]
    for key in _NETWORK:
        if key not in given:
            document.put(("model", key), plain(getattr(network, key)), place)
    but = f" (with the {' and '.join(given)} given here)" if given else ""
    return [f"network of {len(network.blocks or [])} blocks{but}"]


def _fill_front_end(document: Document, trained: FrontEnd, place: Place) -> list[str]:
    """Fills in the front end. Returns what was taken, in words."""
    taken = []
    mel = document.data.get("mel_spectrogram")
    if document.data.get("sample_rate") is None:
        document.put(("sample_rate",), trained.sample_rate, place)
        taken.append(f"sample rate of {trained.sample_rate} Hz")
    if mel is None and trained.mel is not None:
        document.put(("mel_spectrogram",), {}, place)
        taken.append("mel spectrogram")
    if mel and _is_mel(mel) and not _is_mel({**trained.given(), **mel}):
        # The two front ends cannot be mixed; the check of the weights reports it.
        return taken
    lacking = {key: value for key, value in trained.given().items() if key not in document.data["mel_spectrogram"]}
    for key, value in lacking.items():
        document.put(("mel_spectrogram", key), value, place)
    return [*taken, *(f"mel_spectrogram.{key}" for key in lacking if mel is not None)]


def _is_mel(section: dict[str, Any]) -> bool:
    try:
        MelConfig.model_validate(section)
    except ValidationError:
        return False
    return True
