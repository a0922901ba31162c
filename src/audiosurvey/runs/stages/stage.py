"""One stage of training, put together from the config: front end, augmentation, network, loss, optimizer, loop."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn

from audiosurvey.augment.chain import Chain
from audiosurvey.config.network import network_of
from audiosurvey.config.root import Config
from audiosurvey.data.batches.batches import Batch, EvalBatches, TrainBatches
from audiosurvey.data.batches.sampling import NO_OTHERS, OtherSounds
from audiosurvey.data.other.reading import is_made
from audiosurvey.data.sounds import Sounds
from audiosurvey.data.table import Clip, truth
from audiosurvey.errors import UserError
from audiosurvey.features.front_end import make_front_end, mel_for_show
from audiosurvey.model.blocks.inputs import by_input
from audiosurvey.model.blocks.normalise import BandStatistics
from audiosurvey.model.network import Network
from audiosurvey.model.shapes import InputShape
from audiosurvey.randomness import torch_seed
from audiosurvey.runs.evaluation.scores import score_windows
from audiosurvey.runs.results.fold_log import read_history
from audiosurvey.training.ensemble import belonging
from audiosurvey.training.listener import Listener
from audiosurvey.training.loop import Evaluator, StopHook, Trainer
from audiosurvey.training.loss import Loss, class_weights
from audiosurvey.training.metrics import Metrics, evaluate
from audiosurvey.training.optimizer import build_optimizer, layer_rates
from audiosurvey.training.settings import TrainConfig
from audiosurvey.training.sound_scores import ScoredWindows
from audiosurvey.training.step import TrainStep

_BAND_STATISTICS: dict[tuple[object, ...], tuple[torch.Tensor, torch.Tensor]] = {}


class Stage:
    """Everything one network is trained with. `name`, "pretrain" or "train", is part of the names of random streams."""

    def __init__(
        self,
        config: Config,
        sounds: Sounds,
        train_clips: Sequence[Clip],
        *,
        accelerator: Accelerator,
        settings: TrainConfig,
        name: str,
        fold: int,
        others: Sequence[Clip] = (),
    ) -> None:
        """`config` is resolved; `others`: sounds of no class to train on.

        Raises UserError if there are more processes than clips in a batch.
        """
        self._refuse_empty_shares(name, accelerator.num_processes, settings.batch_size, len(train_clips))
        config = config.for_stage(settings)
        self.config, self.sounds, self.settings = config, sounds, settings
        self.accelerator = accelerator
        self.train_clips = tuple(train_clips)
        self.name, self.fold = name, fold
        self.others = self._other_sounds(others)
        self.loss = Loss(config.loss, sounds.table.multi_label, self._class_weights())
        front_end = make_front_end(config.model.hears, config.mel_spectrogram, config.sample_rate)
        self.front_end = front_end.to(accelerator.device)
        seed = config.seed if name == "train" else torch_seed(config.seed, name)
        self.chain = Chain(
            config.augmentation,
            seed=seed,
            sample_rate=config.sample_rate,
            train_clips=self.train_clips,
            front_end=self.front_end,
            sampling=settings.sampling,
            pad=sounds.config.pad,
            stores=config.dataset.store,
        )
        self.batches = TrainBatches(
            sounds.store,
            self.train_clips,
            len(sounds.table.classes),
            clip_samples=settings.heard_samples(sounds.window_samples, config.sample_rate),
            pad=sounds.config.pad,
            batch_size=settings.batch_size,
            seed=seed,
            sampling=settings.sampling,
            others=self.others,
            other_target=self.other_target,
            num_workers=settings.num_workers,
            rank=accelerator.process_index,
            world=accelerator.num_processes,
            draw=self.chain.draw,
            pin_memory=accelerator.device.type == "cuda",
        )

    @property
    def other_target(self) -> float:
        """Target of sounds of no class for each class: nothing with bce, all classes equally with cross-entropy."""
        return 0.0 if self.loss.binary else 1 / len(self.sounds.table.classes)

    def _other_sounds(self, clips: Sequence[Clip]) -> OtherSounds:
        if not clips or self.sounds.others is None:
            return NO_OTHERS
        config = self.sounds.others.config
        made = tuple(clip for clip in clips if is_made(clip.id))
        recorded = tuple(clip for clip in clips if not is_made(clip.id))
        return OtherSounds(recorded, made, config.share, config.made)

    def _class_weights(self) -> torch.Tensor | None:
        """Weights given by class name are for the classes of the target data, not for those of a pretraining."""
        named = isinstance(self.config.loss.class_weights, Mapping)
        if self.name != "train" and named:
            return None
        table = self.sounds.table
        weight_K = class_weights(self.config.loss, table.classes, self.train_clips, table.multi_label)
        return None if weight_K is None else weight_K.to(self.accelerator.device)

    @property
    def input_shape(self) -> InputShape:
        """Of a whole window; a training step may use a section of it."""
        return self.config.input_shape_of(self.sounds.window_samples)

    def build(self) -> Network:
        """A new network on the device; fixed input statistics are those of this stage's training clips."""
        model = self.config.model
        network = network_of(
            self.config,
            len(self.sounds.table.classes),
            seed=torch_seed(self.config.seed, self.name, self.fold, "init"),
            input_shape=self.input_shape,
        )
        if isinstance(network.standardize, BandStatistics):
            network.standardize.set_statistics(*self.band_statistics())
        network.use_checkpoint = self.settings.use_checkpoint
        network.freeze(model.frozen(self.name, epoch=1))
        network.keep_statistics(model.keep_statistics and model.starts_from_weights(self.name))
        return network.to(self.accelerator.device).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def step(self, network: Network) -> TrainStep:
        """The training step for `network`, which is then frozen as in the first epoch."""
        model = self.config.model
        if self.settings.sync_batchnorm:
            # Not before: pretrained weights are loaded into plain norms, whose tensors these take over.
            nn.SyncBatchNorm.convert_sync_batchnorm(network)
        # The optimizer and the other processes need to know every weight that will ever be trained.
        network.freeze(model.frozen(self.name, epoch=None))
        decay = self.config.optimizer.layer_decay if model.starts_from_weights(self.name) else 1.0
        optimizer = build_optimizer(
            network.parameters(),
            self.config.optimizer,
            lr=self.settings.lr,
            weight_decay=self.settings.weight_decay,
            rates=layer_rates(network, decay) if decay < 1 else None,
            belonging=belonging(network),
        )
        step = TrainStep(
            accelerator=self.accelerator,
            network=network,
            chain=self.chain,
            loss=self.loss,
            optimizer=optimizer,
            settings=self.settings,
            stream=(self.config.seed, self.name, self.fold),
        )
        network.freeze(model.frozen(self.name, epoch=1))
        return step

    def trainer(
        self,
        network: Network,
        evaluator: Evaluator,
        folder: Path,
        listener: Listener,
        stop_hooks: Sequence[StopHook] = (),
    ) -> Trainer:
        """`folder` holds metrics.jsonl and the folder `checkpoint`."""
        return Trainer(
            network=network,
            step=self.step(network),
            batches=self.batches,
            settings=self.settings,
            schedule=self.config.schedule,
            ema_decay=self.config.ema.decay or 0.0,
            swa_start=self.config.swa.start,
            begin=lambda epoch: network.freeze(self.config.model.frozen(self.name, epoch)),
            evaluator=evaluator,
            folder=folder / "checkpoint",
            listener=listener,
            history=read_history(folder),
            stop_hooks=stop_hooks,
        )

    def first_batch(self) -> tuple[Batch, torch.Tensor]:
        """The first training batch, and its augmented spectrograms (B, 1, T, F)."""
        batches = self.batches.epoch(1)
        batch = next(batches)
        batches.close()
        heard, _ = self.chain.render(batch.to(self.accelerator.device))
        inputs = by_input(self.config.model.hears, heard)
        if "mel" in inputs:
            return batch, inputs["mel"]
        wave_BS = inputs["wave"][:, 0]
        return batch, mel_for_show(None, self.config.sample_rate).to(wave_BS.device)(wave_BS)

    @staticmethod
    def _refuse_empty_shares(name: str, processes: int, batch_size: int, clips: int) -> None:
        if processes > min(batch_size, clips):
            few = f"{name}.batch_size: {batch_size} clips" if batch_size <= clips else f"{clips} training clips"
            raise UserError(f"{few} cannot be shared by {processes} processes; start fewer of them")

    def scores(self, network: nn.Module, clips: Sequence[Clip]) -> np.ndarray:
        """Uncalibrated probabilities (N, K) of the clips, float32 throughout."""
        return self.scored(network, clips).sounds_NK

    def scored(self, network: nn.Module, clips: Sequence[Clip]) -> ScoredWindows:
        """As `scores`, with the probabilities of each window."""
        return score_windows(
            network,
            self.front_end,
            self.loss.scores,
            self.sounds.store,
            clips,
            clip_samples=self.sounds.window_samples,
            pad=self.sounds.config.pad,
            batch_size=self.settings.batch_size,
            num_workers=self.settings.num_workers,
            accelerator=self.accelerator,
        )

    def measure(self, scored: ScoredWindows, clips: Sequence[Clip]) -> Metrics:
        """Metrics of scores of these clips."""
        table = self.sounds.table
        return evaluate(scored.sounds_NK, truth(clips, len(table.classes)), table.multi_label, self.loss.binary)

    def band_statistics(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and standard deviation of each mel band over all frames of the training clips, (F) each; measured once
        in a process for the same clips."""
        sounds, mel = self.sounds, self.config.mel_spectrogram.model_dump_json()
        clips = tuple(clip.id for clip in self.train_clips)
        key = (sounds.store.hash, clips, sounds.window_samples, sounds.config.pad, self.config.sample_rate, mel)
        if key not in _BAND_STATISTICS:
            _BAND_STATISTICS.clear()  # of the last training set alone
            _BAND_STATISTICS[key] = self._measure_bands()
        return _BAND_STATISTICS[key]

    @torch.no_grad()
    def _measure_bands(self) -> tuple[torch.Tensor, torch.Tensor]:
        batches = EvalBatches(
            self.sounds.store,
            self.train_clips,
            clip_samples=self.sounds.window_samples,
            pad=self.sounds.config.pad,
            batch_size=32,
        )
        count, total, squares = 0, 0.0, 0.0
        for windows in batches:
            heard = self.front_end(windows.wave_BS.to(self.accelerator.device))
            mel_BCTF = by_input(self.config.model.hears, heard)["mel"].cpu().double()
            count += mel_BCTF.shape[0] * mel_BCTF.shape[2]
            total = total + mel_BCTF.sum(dim=(0, 1, 2))
            squares = squares + mel_BCTF.square().sum(dim=(0, 1, 2))
        mean_F = torch.as_tensor(total) / count
        variance_F = torch.as_tensor(squares) / count - mean_F.square()
        return mean_F.float(), variance_F.clamp(min=0).sqrt().float()
