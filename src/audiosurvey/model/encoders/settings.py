"""The `encoder` block: a pretrained audio encoder of the Hugging Face Hub, with its own feature extractor."""

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator
from torch import nn

from audiosurvey.model.blocks.item import BlockItem
from audiosurvey.model.encoders.kinds import KINDS, kind_of, layers, limits, model_class, sample_rate, width
from audiosurvey.model.shapes import Reach, Shape, ShapeError, map_sizes
from audiosurvey.section import Section


class EncoderConfig(Section):
    """A pretrained audio encoder of `transformers` (extra `hub`): AST, Whisper, Wav2Vec2, HuBERT, WavLM, Data2Vec,
    PE-A (Perception Encoder Audio) or CLAP's audio tower."""

    hub: str = Field(min_length=1)
    """Name of a repository of the Hugging Face Hub, such as `MIT/ast-finetuned-audioset-10-10-0.4593`, or a folder with
    config.json, preprocessor_config.json and model.safetensors. Its weights are taken unless `model.init` names
    others; code in a repository is never run."""
    layer: Literal["last", "mean", "all"] | Annotated[int, Field(ge=0, le=200)] = "last"
    """Hidden states that are used: those of the last layer, their mean over all layers, those of one layer (0: before
    the first), or `all`: a learned mixture of all layers. With `train.head_only`, `all` also scores each layer on its
    own."""
    pool: Literal["mean", "max", "token"] = "mean"
    """Pooling over the positions of a clip; `token`: the mean of the class tokens (AST, PE-A), the encoder's own
    pooling."""
    config: dict[str, Any] | None = None
    """Architecture of the encoder. It is read from its config.json and stored with the run, so that a model needs
    neither the Hub nor the folder."""
    extractor: dict[str, Any] | None = None
    """Settings of the feature extractor, read from preprocessor_config.json in the same way."""

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
    """A pretrained audio encoder with its own feature extractor, which turns the waveform into features. Comes right
    after `input: wave`; the sample rate is that of the encoder."""

    encoder: EncoderConfig

    def output_shape(self, shape: Shape) -> Shape:
        channels, samples, bands = map_sizes(shape, "encoder")
        config, extractor = self._settings()
        if (channels, bands) != (1, 1):
            raise ShapeError("encoder: needs the waveform; put it right after `input: wave`")
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
        # transformers and numpy's filters are needed by networks with an encoder alone.
        from audiosurvey.model.encoders.hub_encoder import HubEncoder

        config, extractor = self._settings()
        return HubEncoder(config, extractor, self.encoder.layer, self.encoder.pool, shape[1])

    def import_library(self) -> None:
        """Imports the classes of the encoder; UserError where `transformers` is not installed."""
        model_class(kind_of(self._settings()[0]))

    def reach(self, shape: Shape) -> tuple[Reach, ...]:
        return (Reach((shape[1], 1)),)

    def text(self) -> str:
        block = self.encoder
        return f"encoder: {{hub: {block.hub}, layer: {block.layer}, pool: {block.pool}}}"

    def _settings(self) -> tuple[dict[str, Any], dict[str, Any]]:
        if self.encoder.config is None or self.encoder.extractor is None:
            raise ShapeError(f"encoder: {self.encoder.hub}: its settings were not read")
        return self.encoder.config, self.encoder.extractor
