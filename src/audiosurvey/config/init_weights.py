"""The weights of `model.init` checked against a config. A model folder has front end and network in its config."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from audiosurvey.data.readahead import ProgressCallback
from audiosurvey.errors import Fault, UserError
from audiosurvey.features.agreement import FrontEnd, disagreements
from audiosurvey.features.earlier import earlier_mel, is_earlier
from audiosurvey.features.mel import MelConfig
from audiosurvey.model.encoders.hub_folder import is_encoder_folder
from audiosurvey.model.grammar import ModelConfig
from audiosurvey.model.network import Network
from audiosurvey.model.weights.pretrained import OURS, Weights, open_weights, read_pretrained
from audiosurvey.model.weights.released import misnamed, on_disk, released

_INIT = ("model", "init")


def open_init(init: str, progress: ProgressCallback | None = None) -> Weights:
    """The weights, downloaded where needed, with the front end they were trained with. Raises UserError in one line."""
    return _with_front_end(open_weights(init, progress))


@dataclass(frozen=True)
class WeightSettings:
    """The settings that weights were trained with, as far as they are known."""

    front_end: FrontEnd | None = None
    network: ModelConfig | None = None
    """Of a model of ours alone."""


def settings_of(init: str) -> WeightSettings:
    """The settings of these weights; unknown ones where they have to be downloaded first.

    Raises UserError if they are here and cannot be read.
    """
    if (known := released(init)) is not None:
        return WeightSettings(known.front_end)
    path = on_disk(init)
    if path is None or is_encoder_folder(path):
        return WeightSettings()
    weights = read_pretrained(init, path)
    config = _config_beside(weights)
    if config is None:
        return WeightSettings(weights.front_end)
    return WeightSettings(_front_end_in(config), _network_in(config))


def front_end_of(init: str) -> FrontEnd | None:
    """The front end of these weights; None if it is unknown or they have to be downloaded first.

    Raises UserError if they are here and cannot be read.
    """
    return settings_of(init).front_end


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
    if path is None:
        return []
    try:
        weights = read_pretrained(init, path)
    except UserError as error:
        return [_at_init(error)]
    try:
        weights.put_into(network)
    except UserError as error:
        fault = _at_init(error)
        mend = "; leave model.blocks, preset and res_block out to take the network of that model"
        return [Fault(_INIT, fault.message + (mend if network.members == 1 and _has_network(weights) else ""))]
    return []


def _with_front_end(weights: Weights) -> Weights:
    config = _config_beside(weights)
    return weights if config is None else replace(weights, front_end=_front_end_in(config))


def _has_network(weights: Weights) -> bool:
    config = _config_beside(weights)
    return config is not None and _network_in(config) is not None


def _config_beside(weights: Weights) -> Path | None:
    """The config in the folder of a model of ours."""
    path = weights.path.with_name("config.yaml")
    return path if weights.family is OURS and path.is_file() else None


def _front_end_in(path: Path) -> FrontEnd:
    config = _read(path)
    try:
        section = config["mel_spectrogram"]
        mel = MelConfig.model_validate(earlier_mel(section) if is_earlier(config) else section)
        hears = ModelConfig.model_validate(config.get("model", {})).hears
        return FrontEnd(int(config["sample_rate"]), mel if "mel" in hears else None)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _not_of_a_model(path) from None


def _network_in(path: Path) -> ModelConfig | None:
    """The network; None where the config, unlike that of a model folder, does not give its blocks."""
    section = _read(path).get("model")
    if not isinstance(section, dict) or not section.get("blocks"):
        return None
    try:
        return ModelConfig.model_validate(section)
    except ValueError:
        raise _not_of_a_model(path) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        raise _not_of_a_model(path) from None
    if not isinstance(config, dict):
        raise _not_of_a_model(path)
    return config


def _not_of_a_model(path: Path) -> UserError:
    return UserError(f"{path}: is not the config of a model; copy the whole folder again")


def _at_init(error: UserError) -> Fault:
    return Fault(_INIT, str(error).removeprefix("model.init: "))
