"""The whole config: the sections of all stages, and values that depend on several of them."""

from typing import Literal, TypeVar

from pydantic import Field

from audiosurvey.augment.settings import AugmentationConfig, robust_augmentation
from audiosurvey.data.dataset import DatasetConfig
from audiosurvey.data.splits.protocol import ProtocolConfig
from audiosurvey.features.mel import MelConfig
from audiosurvey.model.grammar import ModelConfig
from audiosurvey.model.shapes import InputShape, Shape
from audiosurvey.section import Section
from audiosurvey.training.averaging import EmaConfig, SwaConfig
from audiosurvey.training.loss import LossConfig
from audiosurvey.training.optimizer import OptimizerConfig
from audiosurvey.training.precision import Precision
from audiosurvey.training.schedule import ScheduleConfig
from audiosurvey.training.settings import DEFAULT_EPOCHS, PretrainConfig, TrainConfig

_Stage = TypeVar("_Stage", bound=TrainConfig)
Tracker = Literal["tensorboard", "wandb", "mlflow"]


def _default_mel() -> MelConfig:
    return MelConfig(f_min=50, compression="db", standardize="batch_norm")


class Config(Section):
    """A whole experiment: data, front end, augmentation, network, training, protocol."""

    sample_rate: int = Field(default=32_000, ge=1000, le=384_000)
    """Sample rate in Hz; all clips are resampled to it."""
    mel_spectrogram: MelConfig = Field(default_factory=_default_mel)
    """The mel spectrogram. Without this section: 64 bands from 50 Hz, windows of 32 ms every 10 ms, in decibels, with
    batch-norm per band. Not used by networks on waveforms alone."""
    augmentation: AugmentationConfig = Field(default_factory=robust_augmentation)
    """Data augmentation of training clips. Without this section: random level, noise, bandwidth, clipping and length,
    for robustness to different recorders."""
    dataset: DatasetConfig = DatasetConfig()
    protocol: ProtocolConfig = ProtocolConfig()
    pretrain_urban: bool = False
    """Pretrain on UrbanSound8K first."""
    pretrain: PretrainConfig = PretrainConfig()
    train: TrainConfig = TrainConfig()
    model: ModelConfig = ModelConfig()
    seed: int = Field(default=0, ge=0)
    """Seed of all random numbers."""
    precision: Precision = "auto"
    """Number format of training. `auto` uses bf16 if the device is fast in it: newer GPUs, and CPUs found to be so by a
    measurement at the start of a run. Evaluation always uses float32."""
    loss: LossConfig = LossConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    ema: EmaConfig = EmaConfig()
    swa: SwaConfig = SwaConfig()
    tracking: list[Tracker] = ["tensorboard"]
    """Additional loggers for scalars and images of a run."""

    @property
    def clip_samples(self) -> int:
        """Samples of one window of the network."""
        return round(self.dataset.resolved_clip_seconds() * self.sample_rate)

    @property
    def clip_seconds(self) -> float:
        """Length of one window of the network in seconds."""
        return self.clip_samples / self.sample_rate

    @property
    def num_frames(self) -> int:
        """Frames of one window."""
        return self.mel_spectrogram.num_frames(self.clip_samples, self.sample_rate)

    @property
    def hears_mel(self) -> bool:
        """Whether the network is given mel spectrograms, alone or beside the waves."""
        return "mel" in self.model.hears

    @property
    def heard_mel(self) -> MelConfig | None:
        """The mel spectrogram, if it is an input of the network."""
        return self.mel_spectrogram if self.hears_mel else None

    @property
    def input_shape(self) -> InputShape:
        """What the network is given of one window."""
        return self.input_shape_of(self.clip_samples)

    def input_shape_of(self, samples: int) -> InputShape:
        """The shape of the network's input for this many samples: (1, samples) of a wave, (1, frames, mel bands) of a
        spectrogram, or both in this order."""
        wave: Shape = (1, samples)
        mel: Shape = (1, self.mel_spectrogram.num_frames(samples, self.sample_rate), self.mel_spectrogram.n_mels)
        if self.hears_mel:
            return (wave, mel) if "wave" in self.model.hears else mel
        return wave

    def as_trained(self) -> "Config":
        """The same with the windows of a training step, which are shorter with `train.crop_seconds`."""
        crop = self.train.crop_seconds
        if crop is None or crop > self.clip_seconds:
            return self
        return self.model_copy(update={"dataset": self.dataset.model_copy(update={"clip_seconds": crop})})

    @property
    def pretrain_dataset(self) -> DatasetConfig | None:
        """The data set to pretrain on, or None."""
        if self.pretrain.dataset is not None:
            return self.pretrain.dataset
        return DatasetConfig(name="urbansound8k") if self.pretrain_urban else None

    @property
    def stages(self) -> dict[str, TrainConfig]:
        """The stages that are run, by the names of their sections."""
        return {"train": self.train} | ({"pretrain": self.pretrain} if self.pretrain_dataset else {})

    def resolved(self) -> "Config":
        """The same experiment with every `auto` and absent length settled; `precision` stays as asked.

        Where patience decides in one of two stages alone, schedule and averaging are left to `for_stage`.
        """
        train = _settle_epochs(self.train)
        selection = self.protocol.selection
        if selection == "auto":
            selection = "validation" if train.patience else "last"
        settled = self.model_copy(
            update={
                "train": train,
                "pretrain": _settle_epochs(self.pretrain),
                "protocol": self.protocol.model_copy(update={"selection": selection}),
            }
        )
        before = train if self.pretrain_dataset is None else self.pretrain
        return settled.for_stage(train) if bool(before.patience) == bool(train.patience) else settled

    def for_stage(self, stage: TrainConfig) -> "Config":
        """The same with what schedule and averaging leave open settled by this stage, `train` or `pretrain`."""
        by_patience = bool(stage.patience)
        return self.model_copy(
            update={
                "schedule": self.schedule.model_copy(update={"name": self._schedule_name(by_patience)}),
                "ema": self.ema.model_copy(update={"decay": self._ema_decay(by_patience)}),
            }
        )

    def _schedule_name(self, by_patience: bool) -> str:
        if self.schedule.name != "auto":
            return self.schedule.name
        return "constant" if by_patience else "cosine"

    def _ema_decay(self, by_patience: bool) -> float:
        if self.ema.decay is not None:
            return self.ema.decay
        return 0.0 if by_patience or self.swa.start is not None else 0.999


def _settle_epochs(stage: _Stage) -> _Stage:
    if stage.epochs is not None:
        return stage
    return stage.model_copy(update={"epochs": 0 if stage.patience else DEFAULT_EPOCHS})
