"""The config sections `train` and `pretrain`."""

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from audiosurvey.data.batches.sampling import Sampling
from audiosurvey.data.dataset import DatasetConfig
from audiosurvey.section import Section

DEFAULT_EPOCHS = 40
HeadPenalty = Annotated[float, Field(gt=0)]


class TrainConfig(Section):
    """The training stage."""

    num_workers: int = Field(default=2, ge=0, le=256)
    """Threads that load batches in advance; 0 for none. Does not affect results."""
    epochs: int | None = Field(default=None, ge=0)
    """Number of epochs. 0: until early stopping. null: 0 with a `patience`, otherwise 40."""
    patience: int | None = Field(default=None, ge=0)
    """Early stopping: stop if the accuracy (mAP for multi-label data) has not improved for this many epochs (the loss
    decides ties); `epochs` is then the maximum. null or 0: no early stopping."""
    crop_seconds: float | None = Field(default=None, gt=0)
    """Length in seconds of a random crop of each clip, drawn again every epoch (arXiv 2106.01621); evaluation uses the
    whole window, `dataset.clip_seconds`. For networks with inputs of any length. null: the whole window."""
    lr: float = Field(default=1e-3, gt=0)
    """Maximum learning rate."""
    weight_decay: float = Field(default=0.01, ge=0)
    """Weight decay, applied to tensors with two or more dimensions."""
    batch_size: int = Field(default=16, ge=1)
    """Batch size over all devices."""
    sampling: Sampling = "shuffle"
    """`shuffle`: every clip once per epoch; `balanced`: all classes equally often, in an epoch of equal size, so that
    clips of rare classes are repeated with different augmentation. Clips without labels count as a class. Partners for
    mixing are drawn in the same way: first a class, then one of its clips."""
    accum_iter: int = Field(default=1, ge=1)
    """Gradient accumulation: batches per optimizer step; the loss is averaged over all their clips."""
    grad_clip_value: float = Field(default=0.0, ge=0)
    """Gradient clipping by value, after clipping by norm; 0 for none."""
    grad_clip_norm: float = Field(default=0.0, ge=0)
    """Gradient clipping by global norm; 0 for none."""
    head_only: bool = False
    """Linear probe: fit only the classifier, by logistic regression on the features of the pretrained network, computed
    once without augmentation. Takes seconds per fold; requires `model.init` or pretraining."""
    head_first: bool = False
    """Fit the classifier as with `head_only`, then train the whole network: a pretrained network is not distorted by
    gradients through a random classifier (arXiv 2202.10054)."""
    head_penalty: HeadPenalty | Literal["auto"] = 0.01
    """L2 penalty of `head_only` and `head_first`: half of this times the squared weights, on standardised features, is
    added to the mean loss. `auto`: chosen from 0.001 to 0.3 by cross-validation on the training clips, grouped by
    recording."""
    sync_batchnorm: bool = False
    """Synchronise batch-norm statistics across processes (torch's SyncBatchNorm); useful for small batches per device.
    Requires GPUs; has no effect with a single process."""
    use_checkpoint: bool = False
    """Activation checkpointing: less memory, more time, the same gradients."""

    @property
    def open_ended(self) -> bool:
        """Whether the stage ends only by early stopping."""
        return bool(self.patience) and not self.epochs

    def heard_samples(self, window_samples: int, sample_rate: int) -> int:
        """Samples of a clip in a training step, for windows of `window_samples`."""
        return window_samples if self.crop_seconds is None else round(self.crop_seconds * sample_rate)


class PretrainConfig(TrainConfig):
    """The pretraining stage on another data set, if `pretrain_urban` or `pretrain.dataset` is set. Every fold starts
    from its weights."""

    dataset: DatasetConfig | None = None
    """Data set for pretraining; `pretrain_urban: true` is short for `{name: urbansound8k}`."""

    @field_validator("head_only", "head_first", "head_penalty")
    @classmethod
    def _trains_the_body(cls, head: Any, info: ValidationInfo) -> Any:
        if head != TrainConfig.model_fields[str(info.field_name)].default:
            name = f"train.{info.field_name}"
            raise ValueError(
                f"not available for pretraining, which trains the layers before the classifier; set {name}"
            )
        return head
