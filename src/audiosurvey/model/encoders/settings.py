"""The `encoder` block: a pretrained audio encoder of the Hugging Face Hub, or a model file of another runtime."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, WithJsonSchema, field_validator
from torch import nn

from audiosurvey.model.blocks.item import BlockItem
from audiosurvey.model.encoders.file_settings import FileGraph
from audiosurvey.model.encoders.kinds import (
    KINDS,
    is_installed,
    kind_of,
    layers,
    limits,
    model_class,
    sample_rate,
    width,
)
from audiosurvey.model.shapes import Reach, Shape, ShapeError, map_sizes
from audiosurvey.section import Section

_MAPPING_OR_NULL = {"anyOf": [{"additionalProperties": True, "type": "object"}, {"type": "null"}]}
"""What is stored is not for people: the schema does not list its keys."""


class EncoderConfig(Section):
    """A pretrained audio encoder. With `hub` (extra `hub`) one of `transformers`: AST, Whisper, Wav2Vec2, HuBERT,
    WavLM, Data2Vec, PE-A (Perception Encoder Audio) or CLAP's audio tower. With `file` (extra `onnx` or `litert`) an
    ONNX or LiteRT file that takes waveforms, such as BirdNET, Perch or YAMNet; it is not trained, so that it needs
    `train.head_only: true`."""

    hub: str | None = Field(default=None, min_length=1)
    """Name of a repository of the Hugging Face Hub, such as `MIT/ast-finetuned-audioset-10-10-0.4593`, or a folder with
    config.json, preprocessor_config.json and model.safetensors. Its weights are taken unless `model.init` names
    others; code in a repository is never run."""
    file: str | None = Field(default=None, min_length=1)
    """In place of `hub`: an .onnx or .tflite file, relative to the working directory. It has one input, waves of floats
    with full scale 1, in the shape (samples), (batch, samples) or (batch, 1, samples). Models that are trained with it
    contain the file."""
    output: str | None = Field(default=None, min_length=1)
    """With `file`: the name of the tensor that is used: an output, or an inner tensor, such as the one before the last
    layer. Its last axis holds the features; an axis before it, if longer than 1, frames. null: the only output. For an
    unknown name, the message lists the names."""
    sample_rate: int | None = Field(default=None, ge=1)
    """With `file`: sample rate of its waveform in Hz. null: as stated in the file's metadata."""
    window_seconds: float | None = Field(default=None, gt=0)
    """With `file`: length of the windows it is given. Longer clips are covered by evenly spread windows, the last of
    which ends with the clip; shorter ones are filled up with zeros. null: the length of the file's input, or the
    whole clip if any length is accepted."""
    layer: Literal["last", "mean", "all"] | Annotated[int, Field(ge=0, le=200)] = "last"
    """With `hub`: hidden states that are used: those of the last layer, their mean over all layers, those of one layer
    (0: before the first), or `all`: a learned mixture of all layers. With `train.head_only`, `all` also scores each
    layer on its own."""
    pool: Literal["mean", "max", "token"] = "mean"
    """Pooling over the positions of a clip (with `file`: over the frames of all its windows); `token`: the mean of the
    class tokens (AST, PE-A), the encoder's own pooling."""
    config: dict[str, Any] | None = None
    """Architecture of the encoder. It is read from its config.json and stored with the run, so that a model needs
    neither the Hub nor the folder."""
    extractor: dict[str, Any] | None = None
    """Settings of the feature extractor, read from preprocessor_config.json in the same way."""
    graph: Annotated[FileGraph | None, WithJsonSchema(_MAPPING_OR_NULL)] = None
    """With `file`: what was read of it. It is stored with the run, so that a model does not need the file."""

    @field_validator("file")
    @classmethod
    def _one_source(cls, file: str | None, info: ValidationInfo) -> str | None:
        if file is not None and info.data.get("hub") is not None:
            raise ValueError("cannot be combined with `hub`; keep one of the two")
        if file is None and "hub" in info.data and info.data["hub"] is None:
            raise ValueError("name the encoder: `hub: NAME`, or `file: model.onnx`")
        return file

    @field_validator("output", "sample_rate", "window_seconds", "graph")
    @classmethod
    def _of_a_file(cls, value: Any, info: ValidationInfo) -> Any:
        # Where `file` itself is faulty, it is not in the data.
        if value is not None and info.data.get("file", "") is None:
            raise ValueError("belongs to an encoder from a `file`; leave it out")
        return value

    @field_validator("layer", "pool", "config")
    @classmethod
    def _of_the_hub(cls, value: Any, info: ValidationInfo) -> Any:
        if info.data.get("file") is not None and value not in ("last", "mean", "max", None):
            raise ValueError("belongs to an encoder of the `hub`; leave it out")
        return value

    @field_validator("extractor")
    @classmethod
    def _both(cls, extractor: dict[str, Any] | None, info: ValidationInfo) -> dict[str, Any] | None:
        config = info.data.get("config")
        if (config is None) != (extractor is None):
            raise ValueError("`config` and `extractor` belong together; leave both out to read them from the encoder")
        if config is not None and (
            str(config.get("model_type")) not in KINDS or "sampling_rate" not in (extractor or {})
        ):
            raise ValueError("not the settings of an encoder; leave `config` and `extractor` out")
        return extractor


class EncoderItem(BlockItem):
    """A pretrained audio encoder with its own front end, which turns the waveform into features. Comes right after
    `input: wave`; the sample rate is that of the encoder."""

    encoder: EncoderConfig

    def output_shape(self, shape: Shape) -> Shape:
        channels, samples, bands = map_sizes(shape, "encoder")
        if (channels, bands) != (1, 1):
            raise ShapeError("encoder: needs the waveform; put it right after `input: wave`")
        if self.is_file:
            return (self._graph().width,)
        config, extractor = self._settings()
        kind, hub = kind_of(config), self.encoder.hub
        if self.encoder.pool == "token" and kind.input_type not in ("kaldi", "codec"):
            raise ShapeError(f"encoder: {hub} has no class token; use pool: mean")
        if kind.input_type == "clap" and self.encoder.layer != "last":
            raise ShapeError("encoder: the layers of CLAP's audio tower differ in width; use layer: last")
        if isinstance(self.encoder.layer, int) and self.encoder.layer > layers(config):
            raise ShapeError(f"encoder: {hub} has {layers(config)} layers, not {self.encoder.layer}")
        least, most = limits(config, extractor)
        rate = sample_rate(extractor)
        if samples < least or (most is not None and samples > most):
            bound = f"at least {least / rate:.3f} s" if samples < least else f"at most {(most or 0) / rate:g} s"
            raise ShapeError(f"encoder: {hub} takes clips of {bound}; change dataset.clip_seconds")
        return (width(config),)

    def build(self, shape: Shape) -> nn.Module:
        block = self.encoder
        # The runtimes, transformers and numpy's filters are needed by networks with an encoder alone.
        if self.is_file:
            from audiosurvey.model.encoders.file_encoder import FileEncoder

            return FileEncoder(self._graph(), self.name, "max" if block.pool == "max" else "mean")
        from audiosurvey.model.encoders.hub_encoder import HubEncoder

        config, extractor = self._settings()
        return HubEncoder(config, extractor, block.layer, block.pool, shape[1])

    def import_library(self) -> None:
        """Imports the classes of the encoder; UserError where `transformers` is not installed."""
        if not self.is_file:
            model_class(kind_of(self._settings()[0]))

    @property
    def is_file(self) -> bool:
        return self.encoder.file is not None

    @property
    def name(self) -> str:
        """What messages call the encoder."""
        return Path(self.encoder.file).name if self.encoder.file is not None else self.encoder.hub or ""

    @property
    def can_be_built(self) -> bool:
        """Whether the library is installed that the module is made of."""
        return self.is_file or is_installed()

    @property
    def missing_runtime(self) -> str | None:
        """The extra that the runtime of a file is in, if that is not installed."""
        if not self.is_file:
            return None
        package = "ai_edge_litert" if self.extra == "litert" else "onnxruntime"
        return self.extra if find_spec(package) is None else None

    @property
    def extra(self) -> str:
        """The extra of this package that the encoder needs."""
        if not self.is_file:
            return "hub"
        return "litert" if self.name.lower().endswith(".tflite") else "onnx"

    @property
    def trained_rate_hz(self) -> int | None:
        """The sample rate of the encoder, once its settings were read."""
        if self.is_file:
            return self.encoder.sample_rate
        return None if self.encoder.extractor is None else sample_rate(self.encoder.extractor)

    def reach(self, shape: Shape) -> tuple[Reach, ...]:
        return (Reach((shape[1], 1)),)

    def text(self) -> str:
        block = self.encoder
        if self.is_file:
            return f"encoder: {{file: {self.name}, output: {block.output}, pool: {block.pool}}}"
        return f"encoder: {{hub: {block.hub}, layer: {block.layer}, pool: {block.pool}}}"

    def _settings(self) -> tuple[dict[str, Any], dict[str, Any]]:
        if self.encoder.config is None or self.encoder.extractor is None:
            raise ShapeError(f"encoder: {self.encoder.hub}: its settings were not read")
        return self.encoder.config, self.encoder.extractor

    def _graph(self) -> FileGraph:
        if self.encoder.graph is None:
            raise ShapeError(f"encoder: {self.name}: its settings were not read")
        return self.encoder.graph
