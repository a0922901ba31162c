"""The `train` and `pretrain` sections: how long, how fast, in what portions."""

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from audiosurvey.data.batches.sampling import Sampling
from audiosurvey.data.dataset import DatasetConfig
from audiosurvey.section import Section

DEFAULT_EPOCHS = 40
HeadPenalty = Annotated[float, Field(gt=0)]


class TrainConfig(Section):
    """One stage of training."""

    num_workers: int = Field(default=2, ge=0, le=256)
    """Reader threads that fill batches ahead; 0: none. The results do not depend on it."""
    epochs: int | None = Field(default=None, ge=0)
    """Passes over the training clips. 0: until `patience` ends it; absent: 0 with a patience, else 40."""
    patience: int | None = Field(default=None, ge=0)
    """Stop when the monitored score (accuracy, ties by loss) has not improved for so many epochs; with `epochs` above 0
    that is the upper bound. Absent or 0: no early stopping."""
    crop_seconds: float | None = Field(default=None, gt=0)
    """Length in seconds of the section of each clip that a step hears, drawn anew every epoch (temporal cropping,
    arXiv 2106.01621); evaluation hears the whole window, `dataset.clip_seconds`. For networks that take any length.
    null: the whole window."""
    lr: float = Field(default=1e-3, gt=0)
    """Learning rate at its highest."""
    weight_decay: float = Field(default=0.01, ge=0)
    """Weight decay, on tensors of two or more dimensions only."""
    batch_size: int = Field(default=16, ge=1)
    """Clips in a batch, over all devices."""
    sampling: Sampling = "shuffle"
    """`shuffle`: every clip once an epoch; `balanced`: every class equally often in an epoch of as many clips, those of
    rare classes repeatedly, each time augmented anew. Clips without labels count as a class of their own, and partners
    for mixing are drawn in the same way: a class first, then one of its clips."""
    accum_iter: int = Field(default=1, ge=1)
    """Batches whose gradients are averaged, over their clips, into one optimizer step."""
    grad_clip_value: float = Field(default=0.0, ge=0)
    """Bound on each element of the gradient; 0: none. Applied after the norm."""
    grad_clip_norm: float = Field(default=0.0, ge=0)
    """Bound on the global norm of the gradient; 0: none."""
    head_only: bool = False
    """A linear probe: what the pretrained network makes of each clip is computed once, without augmentation, and the
    classifier alone is fitted to it, by logistic regression. Seconds a fold; needs `model.init` or a pretraining."""
    head_first: bool = False
    """Fits the classifier as `head_only` does, then trains all of the network from there: the first steps of a
    pretrained network are not spent on following a classifier that knows nothing (arXiv 2202.10054)."""
    head_penalty: HeadPenalty | Literal["auto"] = 0.01
    """Half of this times the squared weights, on standardised features, is added to the mean loss of such a fit;
    `auto`: chosen among 0.001 to 0.3 by cross-validation over the training clips, whose recordings stay together."""
    sync_batchnorm: bool = False
    """With several processes, batch norms count the clips of all of them at each step (torch's SyncBatchNorm), not each
    its own; for small batches a device. Needs GPUs; with one process it changes nothing."""
    use_checkpoint: bool = False
    """Gradient checkpointing: less memory, more time, the same gradients."""

    @property
    def open_ended(self) -> bool:
        """Whether patience alone ends this stage."""
        return bool(self.patience) and not self.epochs

    def heard_samples(self, window_samples: int, sample_rate: int) -> int:
        """Samples of a clip that a step hears, of a window of the network of so many."""
        return window_samples if self.crop_seconds is None else round(self.crop_seconds * sample_rate)


class PretrainConfig(TrainConfig):
    """The stage before: another data set, whose weights every fold starts from."""

    dataset: DatasetConfig | None = None
    """Data set to pretrain on; `pretrain_urban: true` is short for `{name: urbansound8k}`."""

    @field_validator("head_only", "head_first", "head_penalty")
    @classmethod
    def _trains_the_body(cls, head: Any, info: ValidationInfo) -> Any:
        if head != TrainConfig.model_fields[str(info.field_name)].default:
            name = f"train.{info.field_name}"
            raise ValueError(f"a pretraining is there to train what stands before the classifier; set {name}")
        return head
