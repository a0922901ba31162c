"""The augmentation of a config as a callable, for batches of a data set and for waves of any origin."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from audiosurvey.api.arguments import loaded
from audiosurvey.api.state import keeps_state
from audiosurvey.augment.chain import Chain
from audiosurvey.augment.draws import BatchDraws
from audiosurvey.augment.mixing.mixing import Targets
from audiosurvey.data.batches.batches import Batch
from audiosurvey.data.table import Clip
from audiosurvey.errors import UserError
from audiosurvey.features.front_end import NetworkInput, make_front_end

if TYPE_CHECKING:
    from audiosurvey.config.loader import ConfigSource


class Augmentation:
    """All augmentation of a config. Made by `audiosurvey.augmentation`.

    What is drawn for a clip is a function of the seed, the epoch and the id of the clip: it can be drawn again at any
    time, and does not depend on the batch, on threads or on the order of calls.

    Attributes:
        seed: of all draws.
        sample_rate: of waves, in Hz.
        front_end: from waves (B, S) to the input of the network.
    """

    def __init__(self, config: Any, clips: Sequence[Clip], seed: int) -> None:
        self.seed, self.sample_rate = seed, int(config.sample_rate)
        self.front_end = make_front_end(config.model.hears, config.mel_spectrogram, config.sample_rate)
        given: dict[str, Any] = {
            "seed": seed,
            "sample_rate": config.sample_rate,
            "front_end": self.front_end,
            "sampling": config.train.sampling,
            "pad": config.dataset.pad,
            "stores": config.dataset.store,
        }
        self.chain = Chain(config.augmentation, train_clips=clips, **given)
        self._unmixed = Chain(config.augmentation, train_clips=(), **given)

    def __call__(self, batch: Batch) -> tuple[NetworkInput, Targets]:
        """Augments a batch of `audiosurvey.batches` on its device, mixing included.

        Args:
            batch: waves (B, S) with what was drawn for them.

        Returns:
            The input of the network, as from `front_end`, and the targets: `targets.weighted_BK` (B, K) is 1 for the
            class of a clip that is not mixed, and the weights of both classes of a mixture.

        Raises:
            UserError: for a batch without draws.
        """
        if batch.draws is None:
            raise UserError("a batch without draws: give the augmentation to audiosurvey.batches")
        return self._on(batch.wave_BS.device).render(batch)

    def waves(self, wave_BS: Tensor, clip_ids: Sequence[str], epoch: int) -> Tensor:
        """Augments waves of any origin, without mixing and without operations on spectrograms.

        Args:
            wave_BS: float (B, S) with full scale 1, at `sample_rate` Hz.
            clip_ids: the id of each clip, by which its random numbers are drawn.
            epoch: number of the epoch, from 1.

        Returns:
            Waves (B, S) on the same device.

        Raises:
            UserError: unless there is one id for each wave.
        """
        batch = self._batch(wave_BS, clip_ids, epoch)
        return self._unmixed.render_waves(batch)[0]

    def spectrograms(self, wave_BS: Tensor, clip_ids: Sequence[str], epoch: int) -> NetworkInput:
        """Augments waves of any origin, without mixing, and gives the input of the network.

        Args:
            wave_BS: as in `waves`.
            clip_ids: as in `waves`.
            epoch: as in `waves`.

        Returns:
            The output of `front_end` with all operations, on waves, bands and spectrograms.

        Raises:
            UserError: as `waves` does.
        """
        batch = self._batch(wave_BS, clip_ids, epoch)
        self._on(wave_BS.device)
        return self._unmixed.render(batch)[0]

    def describe(self, clip_id: str, epoch: int, samples: int) -> list[dict[str, object]]:
        """What is drawn for a clip of this length, without mixing.

        Args:
            clip_id: the id of the clip.
            epoch: number of the epoch, from 1.
            samples: length of the wave.

        Returns:
            A dict for each operation that is applied, in order: `{"operation": "noise", "snr_db": 12.3}`.
        """
        draws = self._draws([Clip(clip_id, Path(clip_id), ())], epoch, samples)
        return self._unmixed.describe(draws, 0)

    def _batch(self, wave_BS: Tensor, clip_ids: Sequence[str], epoch: int) -> Batch:
        if wave_BS.dim() != 2 or len(clip_ids) != len(wave_BS):
            shape = tuple(wave_BS.shape)
            raise UserError(f"waves of shape {shape} and {len(clip_ids)} ids; expected (B, S) and an id for each wave")
        clips = tuple(Clip(clip_id, Path(clip_id), ()) for clip_id in clip_ids)
        samples = wave_BS.shape[1]
        valid_B = torch.full((len(clips),), samples, dtype=torch.int64)
        none_BK = torch.zeros(len(clips), 1, device=wave_BS.device)
        return Batch(clips, wave_BS.float(), valid_B, none_BK, self._draws(clips, epoch, samples))

    def _draws(self, clips: Sequence[Clip], epoch: int, samples: int) -> BatchDraws:
        return self._unmixed.draw(clips, epoch, samples=samples, valid_of=lambda clip: samples)

    def _on(self, device: torch.device) -> Chain:
        self.front_end.to(device)
        return self.chain


@keeps_state
def augmentation(config: "ConfigSource", clips: Sequence[Clip] = (), *, seed: int | None = None) -> Augmentation:
    """The augmentation of a config.

    Args:
        config: as in `load_config`.
        clips: the training clips, among which partners for mixing are drawn; none: nothing is mixed.
        seed: of all draws; None: the seed of the config, as in `train`.

    Returns:
        A callable for batches, with `waves` and `spectrograms` for waves of any origin.

    Raises:
        UserError: for faults of the config, and if recordings or impulse responses that it names are missing.
    """
    found = loaded(config).config
    return Augmentation(found, clips, found.seed if seed is None else seed)
