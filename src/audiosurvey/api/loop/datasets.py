"""Clips of a data set for one's own loop: as a torch data set, as training batches, and scored by a network."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset

from audiosurvey.api.arguments import loaded
from audiosurvey.api.state import keeps_state
from audiosurvey.data.audio.windows import fill_tail
from audiosurvey.data.batches.batches import TrainBatches
from audiosurvey.data.sounds import Sounds
from audiosurvey.data.table import Clip, truth
from audiosurvey.errors import UserError
from audiosurvey.randomness import stream

if TYPE_CHECKING:
    from audiosurvey.api.loop.augmentations import Augmentation
    from audiosurvey.config.loader import ConfigSource


class ClipDataset(Dataset[dict[str, Any]]):
    """Clips of a prepared data set, for `torch.utils.data.DataLoader`, Lightning and the Hugging Face Trainer.

    An item is a dict: `wave` float32 (S) with full scale 1, `target` float32 (K), 1 for each label, `label` the number
    of the class (of the first one, -1 without any), `clip` the id. Clips shorter than the window are padded as
    `dataset.pad` says; of longer ones a stretch is taken: that of `epoch`, at a place drawn by (seed, epoch, id), or
    with `epoch` None the beginning.

    Args:
        sounds: the data set, from `audiosurvey.prepare`.
        clips: the clips, such as one side of a split; None: all of them.
        samples: length of a window S; None: that of the data set.
        seed: of the places of the stretches.
        epoch: number of the epoch, from 1; may be set anew before each. None: nothing is drawn.

    Attributes:
        clips: the clips in the order of the items.
        epoch: as above.
    """

    def __init__(
        self,
        sounds: Sounds,
        clips: Sequence[Clip] | None = None,
        *,
        samples: int | None = None,
        seed: int = 0,
        epoch: int | None = None,
    ) -> None:
        self.clips = tuple(sounds.table.clips if clips is None else clips)
        self.epoch = epoch
        self._sounds, self._seed = sounds, seed
        self._samples = sounds.window_samples if samples is None else samples

    def __len__(self) -> int:
        return len(self.clips)

    def truth(self) -> np.ndarray:
        """The targets of all clips, float32 (N, K)."""
        return truth(self.clips, len(self._sounds.table.classes))

    def __getitem__(self, index: int) -> dict[str, Any]:
        clip, store = self.clips[index], self._sounds.store
        spare = store.length(clip.id) - self._samples
        start = 0
        if self.epoch is not None and spare > 0:
            start = int(stream(self._seed, self.epoch, *clip.drawn_by, "crop").integers(spare + 1))
        wave_S = np.empty(self._samples, np.float32)
        fill_tail(wave_S, store.read_into(clip.id, wave_S, start), self._sounds.config.pad)
        return {
            "wave": torch.from_numpy(wave_S),
            "target": torch.from_numpy(truth([clip], len(self._sounds.table.classes))[0]),
            "label": clip.labels[0] if clip.labels else -1,
            "clip": clip.id,
        }


@keeps_state
def batches(
    config: "ConfigSource", sounds: Sounds, clips: Sequence[Clip], augmentation: "Augmentation | None" = None
) -> TrainBatches:
    """Training batches as `train` uses them: the same clips in the same order, read ahead by threads.

    Args:
        config: as in `load_config`.
        sounds: the data set, from `prepare`.
        clips: the training clips.
        augmentation: what is drawn for the clips, ahead of time; None: nothing.

    Returns:
        `len` is the number of batches of an epoch; `.epoch(number)`, from 1, iterates over them. A batch has
        `wave_BS` (B, S), `target_BK` (B, K) and `clips`; `batch.to(device)` moves it.

    Raises:
        UserError: for faults of the config, and without any clip.
    """
    found = loaded(config).config
    if not clips:
        raise UserError("no training clips; give one side of a split, such as split.train")
    return TrainBatches(
        sounds.store,
        clips,
        len(sounds.table.classes),
        clip_samples=found.train.heard_samples(sounds.window_samples, found.sample_rate),
        pad=sounds.config.pad,
        batch_size=found.train.batch_size,
        seed=found.seed,
        sampling=found.train.sampling,
        num_workers=found.train.num_workers,
        draw=None if augmentation is None else augmentation.chain.draw,
    )


@keeps_state
def scores(config: "ConfigSource", network: nn.Module, sounds: Sounds, clips: Sequence[Clip]) -> np.ndarray:
    """Scores clips as `train` evaluates them: all of a clip, in windows whose scores are averaged.

    Args:
        config: as in `load_config`.
        network: from the output of `front_end` to logits (B, K), on any device; it is left in evaluation mode.
        sounds: the data set, from `prepare`.
        clips: the clips, such as `split.test`.

    Returns:
        Probabilities (N, K), float32, in the order of the clips: softmax, or a sigmoid per class with `loss.name: bce`
        and for data with several labels.

    Raises:
        UserError: for faults of the config, and for scores that are not finite.
    """
    from audiosurvey.features.front_end import make_front_end
    from audiosurvey.runs.evaluation.scores import score_windows
    from audiosurvey.training.loss import Loss

    found = loaded(config).config
    device = next(network.parameters()).device
    return score_windows(
        network,
        make_front_end(found.model.hears, found.mel_spectrogram, found.sample_rate).to(device),
        Loss(found.loss, sounds.table.multi_label).scores,
        sounds.store,
        clips,
        clip_samples=sounds.window_samples,
        pad=sounds.config.pad,
        batch_size=found.train.batch_size,
        num_workers=found.train.num_workers,
    ).sounds_NK
