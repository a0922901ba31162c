"""The audio encoders of `transformers` that can be used, by model type: their classes, sizes and limits.

An architecture is plain data: the content of `config.json`, with every default written out.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal

from audiosurvey.errors import UserError

InputType = Literal["kaldi", "whisper", "clap", "wave", "codec"]


@dataclass(frozen=True)
class Kind:
    """A model type of `transformers`."""

    input_type: InputType
    """The input that its feature extractor makes."""
    module: str
    """In `transformers.models`, without the beginning `configuration_` or `modeling_` of its modules."""
    config: str
    model: str
    extractor: str
    whole: str | None = None
    """The class of the model that checkpoints hold, if the encoder is only a part of it."""
    part: str = ""
    """The attribute of `whole` that is the encoder."""
    width: str = "hidden_size"
    layers: str = "num_hidden_layers"


_WAVE = "Wav2Vec2FeatureExtractor"
_PE_AUDIO = Kind("codec", "pe_audio", "PeAudioEncoderConfig", "PeAudioEncoder", "PeAudioFeatureExtractor")
KINDS = {
    "audio-spectrogram-transformer": Kind(
        "kaldi", "audio_spectrogram_transformer", "ASTConfig", "ASTModel", "ASTFeatureExtractor"
    ),
    "whisper": Kind(
        *("whisper", "whisper", "WhisperConfig", "WhisperEncoder", "WhisperFeatureExtractor"),
        *("WhisperModel", "encoder", "d_model", "encoder_layers"),
    ),
    "clap_audio_model": Kind("clap", "clap", "ClapAudioConfig", "ClapAudioModel", "ClapFeatureExtractor"),
    "wav2vec2": Kind("wave", "wav2vec2", "Wav2Vec2Config", "Wav2Vec2Model", _WAVE),
    "hubert": Kind("wave", "hubert", "HubertConfig", "HubertModel", _WAVE),
    "wavlm": Kind("wave", "wavlm", "WavLMConfig", "WavLMModel", _WAVE),
    "data2vec-audio": Kind("wave", "data2vec", "Data2VecAudioConfig", "Data2VecAudioModel", _WAVE),
    "pe_audio_encoder": _PE_AUDIO,
}
_IN_CHECKPOINTS = {
    "clap": Kind("clap", "clap", "ClapConfig", "ClapModel", "", "ClapModel", "audio_model"),
    "pe_audio": Kind("codec", "pe_audio", "PeAudioConfig", "PeAudioModel", "", "PeAudioModel", "audio_encoder"),
    # Its encoder alone finds its tensors in this checkpoint.
    "pe_audio_video": _PE_AUDIO,
}
"""Model types of whole checkpoints whose encoder is a model type of its own."""

_NOT_ARCHITECTURE = {
    *("transformers_version", "architectures", "dtype", "torch_dtype", "id2label", "label2id", "_name_or_path"),
    *("problem_type", "output_hidden_states", "output_attentions", "return_dict", "suppress_tokens"),
    *("begin_suppress_tokens", "forced_decoder_ids", "task_specific_params", "chunk_size_feed_forward", "mel_filters"),
    *("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id", "tie_word_embeddings"),
}
_NAMES_CODE = {"quantization_config", "auto_map"}
"""Like every key with `implementation` in it, these may name code, which transformers would import or download."""
_NO_RANDOM_LAYERS = {"layerdrop": 0.0, "encoder_layerdrop": 0.0}
"""Training draws nothing but dropout: a clip's augmentation is that of the config."""


def is_installed() -> bool:
    return find_spec("transformers") is not None


def _require() -> None:
    if not is_installed():
        raise UserError("encoder: transformers is not installed; pip install 'audiosurvey[hub]'")


def transformers_class(part: str, name: str) -> Any:
    """A class such as `("configuration_whisper", "WhisperConfig")`; UserError where the library is not installed."""
    _require()
    kind, _, module = part.partition("_")
    folder = "data2vec" if module.startswith("data2vec") else module
    return getattr(import_module(f"transformers.models.{folder}.{kind}_{module}"), name)


def config_class(kind: Kind) -> Any:
    return transformers_class(f"configuration_{_file(kind)}", kind.config)


def model_class(kind: Kind, name: str | None = None) -> Any:
    return transformers_class(f"modeling_{_file(kind)}", name or kind.model)


def extractor_class(kind: Kind) -> Any:
    module = "wav2vec2" if kind.extractor == _WAVE else kind.module
    part = "feature_extraction"
    _require()
    return getattr(import_module(f"transformers.models.{module}.{part}_{module}"), kind.extractor)


def _file(kind: Kind) -> str:
    return "data2vec_audio" if kind.module == "data2vec" else kind.module


def kind_of(architecture: Mapping[str, Any]) -> Kind:
    return KINDS[architecture["model_type"]]


def is_known(model_type: object) -> bool:
    """Whether a checkpoint of this model type has an encoder that can be used."""
    return isinstance(model_type, str) and (model_type in _IN_CHECKPOINTS or model_type in KINDS)


def checkpoint_kind(model_type: str) -> Kind:
    return _IN_CHECKPOINTS.get(model_type) or KINDS[model_type]


def checkpoint_settings(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Of the class that reads a checkpoint, in the content of its `config.json`."""
    settings = without_code(stored)
    return _of_encoder(settings) if stored.get("model_type") == "pe_audio_video" else settings


def _of_encoder(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Of the audio encoder in a checkpoint that holds more."""
    inside: Any = stored
    if stored.get("model_type") == "pe_audio_video" and isinstance(stored.get("audio_video_config"), Mapping):
        inside = stored["audio_video_config"]
    encoder = {"clap": "clap_audio_model", "pe_audio": "pe_audio_encoder", "pe_audio_video": "pe_audio_encoder"}
    known = encoder.get(str(stored.get("model_type")))
    if known is None or not isinstance(inside.get("audio_config"), Mapping):
        return dict(stored)
    return {**inside["audio_config"], "model_type": known}


def architecture_from(stored: Mapping[str, Any]) -> dict[str, Any]:
    """The architecture in the content of a `config.json`. Raises UserError for a model type that is none of KINDS."""
    found = _of_encoder(without_code(stored))
    if found.get("model_type") not in KINDS:
        known = ", ".join([*_IN_CHECKPOINTS, *(name for name in KINDS if name != "clap_audio_model")])
        raise UserError(f"model type {found.get('model_type')!r}: not a known audio encoder ({known})")
    full = config_class(KINDS[found["model_type"]]).from_dict(found).to_dict()
    return _plain(full)


def extractor_from(stored: Mapping[str, Any], architecture: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of the feature extractor in the content of a `preprocessor_config.json`, defaults written out."""
    given = dict(stored.get("feature_extractor", stored))
    return _plain(extractor_class(kind_of(architecture)).from_dict(given).to_dict())


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    def kept(section: Mapping[str, Any]) -> dict[str, Any]:
        found = {key: value for key, value in section.items() if key not in _NOT_ARCHITECTURE}
        return {key: kept(value) if isinstance(value, Mapping) else value for key, value in found.items()}

    return json.loads(json.dumps(kept(without_code(values))))


def without_code(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a model without those that may name code, sections included."""
    return {
        key: without_code(value) if isinstance(value, Mapping) else value
        for key, value in settings.items()
        if "implementation" not in str(key) and key not in _NAMES_CODE
    }


def new_model(architecture: Mapping[str, Any]) -> Any:
    """The encoder with random weights. It draws from torch's global generator."""
    kind = kind_of(architecture)
    known = {key: value for key, value in _NO_RANDOM_LAYERS.items() if key in architecture}
    model = model_class(kind)(config_class(kind).from_dict({**without_code(architecture), **known}))
    # After it was built: without masks it would lack a tensor that checkpoints have.
    model.config.apply_spec_augment = False
    if kind.input_type == "clap":
        # Fusion is for clips that are longer than the input; its weights stay where they are, unused.
        model.audio_encoder.enable_fusion = model.audio_encoder.patch_embed.enable_fusion = False
    return model


def width(architecture: Mapping[str, Any]) -> int:
    """Features of a position of the output."""
    if kind_of(architecture).input_type == "clap":
        return architecture["patch_embeds_hidden_size"] * 2 ** (len(architecture["depths"]) - 1)
    if architecture.get("add_adapter"):
        return architecture["output_hidden_size"]
    return architecture[kind_of(architecture).width]


def layers(architecture: Mapping[str, Any]) -> int:
    """Layers, or stages for CLAP."""
    if kind_of(architecture).input_type == "clap":
        return len(architecture["depths"])
    return architecture[kind_of(architecture).layers]


def sample_rate(extractor: Mapping[str, Any]) -> int:
    return int(extractor["sampling_rate"])


def limits(architecture: Mapping[str, Any], extractor: Mapping[str, Any]) -> tuple[int, int | None]:
    """The least and the greatest number of samples of a clip; None: any number."""
    input_type = kind_of(architecture).input_type
    if input_type == "kaldi":
        return 400, 400 + 160 * extractor["max_length"] - 1
    if input_type == "whisper":
        return 1, 2 * architecture["max_source_positions"] * extractor["hop_length"]
    if input_type == "clap":
        return 1, extractor["max_length_s"] * extractor["sampling_rate"]
    if input_type == "codec":
        # Shorter clips have too little to mirror.
        return extractor["hop_length"] // 2 + 1, None
    least = 1
    for kernel, stride in zip(
        reversed(architecture["conv_kernel"]), reversed(architecture["conv_stride"]), strict=True
    ):
        least = (least - 1) * stride + kernel
    return least, None


def positions(architecture: Mapping[str, Any], samples: int) -> int:
    """Positions of the output for a clip, special tokens included."""
    input_type = kind_of(architecture).input_type
    if input_type == "whisper":
        return architecture["max_source_positions"]
    if input_type == "kaldi":
        size = architecture["patch_size"]
        rows = (architecture["num_mel_bins"] - size) // architecture["frequency_stride"] + 1
        return 2 + rows * ((architecture["max_length"] - size) // architecture["time_stride"] + 1)
    if input_type == "clap":
        return 1
    if input_type == "codec":
        return 1 + -(-samples // math.prod(architecture["dac_config"]["downsampling_ratios"]))
    for kernel, stride in zip(architecture["conv_kernel"], architecture["conv_stride"], strict=True):
        samples = (samples - kernel) // stride + 1
    return samples
