"""The weights of `model.init` checked against a config. The front end of a model folder is in its config."""

from dataclasses import replace
from pathlib import Path

import yaml

from audiosurvey.data.readahead import ProgressCallback
from audiosurvey.errors import Fault, UserError
from audiosurvey.features.agreement import FrontEnd, disagreements
from audiosurvey.features.earlier import earlier_mel, is_earlier
from audiosurvey.features.mel import MelConfig
from audiosurvey.model.grammar import ModelConfig
from audiosurvey.model.network import Network
from audiosurvey.model.weights.pretrained import OURS, Weights, open_weights, read_pretrained
from audiosurvey.model.weights.released import misnamed, on_disk, released

_INIT = ("model", "init")


def open_init(init: str, progress: ProgressCallback | None = None) -> Weights:
    """The weights, downloaded where needed, with the front end they were trained with. Raises UserError in one line."""
    return _with_front_end(open_weights(init, progress))


def front_end_of(init: str) -> FrontEnd | None:
    """The front end of these weights; None if it is unknown or they have to be downloaded first.

    Raises UserError if they are here and cannot be read.
    """
    if (known := released(init)) is not None:
        return known.front_end
    path = on_disk(init)
    return None if path is None else _with_front_end(read_pretrained(init, path)).front_end


def hearing_faults(init: str, sample_rate: int, mel: MelConfig | None) -> list[Fault]:
    """Settings in which the front end differs from that of the weights; one fault if they cannot be read."""
    if (unknown := misnamed(init)) is not None:
        return [Fault(_INIT, unknown)]
    try:
        trained = front_end_of(init)
    except UserError as error:
        return [_at_init(error)]
    return [] if trained is None else disagreements(FrontEnd(sample_rate, mel), trained, init)


def fit_faults(init: str, network: Network) -> list[Fault]:
    """Why these weights, if they are here, do not fit a network (on the meta device)."""
    path = on_disk(init)
    try:
        if path is not None:
            read_pretrained(init, path).put_into(network)
    except UserError as error:
        return [_at_init(error)]
    return []


def _with_front_end(weights: Weights) -> Weights:
    beside = weights.path.with_name("config.yaml")
    if weights.family is not OURS or not beside.is_file():
        return weights
    return replace(weights, front_end=_front_end_in(beside))


def _front_end_in(path: Path) -> FrontEnd:
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        section = config["mel_spectrogram"]
        mel = MelConfig.model_validate(earlier_mel(section) if is_earlier(config) else section)
        hears = ModelConfig.model_validate(config.get("model", {})).hears
        return FrontEnd(int(config["sample_rate"]), mel if "mel" in hears else None)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError):
        raise UserError(f"{path}: is not the config of a model; copy the whole folder again") from None


def _at_init(error: UserError) -> Fault:
    return Fault(_INIT, str(error).removeprefix("model.init: "))
