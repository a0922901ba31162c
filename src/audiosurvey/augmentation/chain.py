"""The whole of augmentation: which operations there are, in which order, and each clip's draws from its own
streams.

Enters: batches of training clips; leaves: what the network is shown. Order: mixing of the raw waves, gain,
cyclic shift, reverb, time shift, noise; then the mel spectrogram, with its bands moved; blocks, time masks, frequency
masks.

What is done to a clip is a function of (seed, epoch, clip id, operation) and, for mixing, of the set of
training clips: not of the batch it stands in, nor of threads, ranks or resumption.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from audiosurvey.augmentation.band_jitter import BandJitter, BandJitterConfig, BandJitterDraw
from audiosurvey.augmentation.base import MelOperation, WaveOperation
from audiosurvey.augmentation.cyclic_shift import CyclicShift, CyclicShiftConfig
from audiosurvey.augmentation.dropblock import DropBlock, DropBlockConfig
from audiosurvey.augmentation.gain import Gain, GainConfig
from audiosurvey.augmentation.masking import FreqMasking, FreqMaskingConfig, TimeMasking, TimeMaskingConfig
from audiosurvey.augmentation.mixing import Mixup, MixupConfig, MixupDraw
from audiosurvey.augmentation.noise import Noise, NoiseConfig
from audiosurvey.augmentation.reverb import Reverb, ReverbConfig
from audiosurvey.augmentation.time_shift import TimeShift, TimeShiftConfig
from audiosurvey.data.table import Clip
from audiosurvey.randomness import stream
from audiosurvey.section import Section

if TYPE_CHECKING:
    from audiosurvey.data.batches import Batch


class AugmentationConfig(Section):
    """What is done to training clips. Everything is off unless its `p`, the chance for each single clip, is
    set."""

    mixup: MixupConfig = Field(default_factory=MixupConfig)
    """A second training clip is mixed in, with its share of the label."""
    gain: GainConfig = Field(default_factory=GainConfig)
    """The level is changed."""
    cyclic_shift: CyclicShiftConfig = Field(default_factory=CyclicShiftConfig)
    """The window is turned round in time."""
    reverb: ReverbConfig = Field(default_factory=ReverbConfig)
    """The clip is placed in a room."""
    time_shift: TimeShiftConfig = Field(default_factory=TimeShiftConfig)
    """Parts of the clip are stretched and compressed."""
    noise: NoiseConfig = Field(default_factory=NoiseConfig)
    """White noise is added."""
    band_jitter: BandJitterConfig = Field(default_factory=BandJitterConfig)
    """The edges of the mel bands are moved."""
    dropblock: DropBlockConfig = Field(default_factory=DropBlockConfig)
    """Blocks of the spectrogram are covered."""
    time_masking: TimeMaskingConfig = Field(default_factory=TimeMaskingConfig)
    """Stretches of frames are covered."""
    freq_masking: FreqMaskingConfig = Field(default_factory=FreqMaskingConfig)
    """Stretches of mel bands are covered."""


class Chain:
    """The augmentation of one training run.

    `seed`: of the run (and fold); `train_clips`: the set that partners are drawn from, in any order;
    `silence`: the value that digital silence has on the spectrogram. Raises UserError where impulse responses
    cannot be had.
    """

    def __init__(
        self,
        config: AugmentationConfig,
        *,
        seed: int,
        sample_rate: int,
        train_clips: Sequence[Clip],
        silence: float,
    ) -> None:
        self.seed = seed
        self.sample_rate = sample_rate
        self.mixup = Mixup(config.mixup)
        waves: list[WaveOperation] = [
            Gain(config.gain),
            CyclicShift(config.cyclic_shift, sample_rate=sample_rate),
            Reverb(config.reverb, sample_rate=sample_rate),
            TimeShift(config.time_shift, sample_rate=sample_rate),
            Noise(config.noise),
        ]
        mels: list[MelOperation] = [
            DropBlock(config.dropblock, silence=silence),
            TimeMasking(config.time_masking, silence=silence),
            FreqMasking(config.freq_masking, silence=silence),
        ]
        self.band_jitter = BandJitter(config.band_jitter)
        self.wave_operations = [operation for operation in waves if operation.p > 0]
        self.mel_operations = [operation for operation in mels if operation.p > 0]
        self._clips = sorted(train_clips, key=lambda clip: clip.id)
        self._rows = {clip.id: row for row, clip in enumerate(self._clips)}

    def partner(self, clip: Clip, epoch: int) -> Clip | None:
        """The training clip that this one is mixed with in this epoch, or None."""
        draw = self._mixup_draw(clip, epoch)
        return None if draw is None else self._clips[draw.partner]

    def mix(self, batch: Batch, epoch: int) -> tuple[Tensor, Tensor, Tensor]:
        """The first stage: mixes the raw waves of a batch with those of its partners.

        Returns waves (B, S), samples before padding (B) and targets (B, K), on the devices they came on. A
        clip for which the batch holds no partner stays as it is.
        """
        draws: list[MixupDraw | None] = []
        for clip, other in zip(batch.clips, batch.partners, strict=True):
            draw = None if other is None else self._mixup_draw(clip, epoch)
            if other is not None and (draw is None or self._clips[draw.partner].id != other.id):
                raise RuntimeError(f"{clip.id} came with {other.id}, which is not its partner in epoch {epoch}")
            draws.append(draw)
        own = (batch.wave_BS, batch.valid_B, batch.target_BK)
        rows = [row for row, draw in enumerate(draws) if draw is not None]
        if not rows:
            return own
        loaded = (batch.partner_BS, batch.partner_valid_B, batch.partner_target_BK)
        waves, valids, targets = (
            (_rows(mine, rows), _rows(theirs, rows)) for mine, theirs in zip(own, loaded, strict=True)
        )
        mixed_BS, target_BK = self.mixup.apply(waves, valids, targets, [draws[row] for row in rows])
        changed = (mixed_BS, torch.maximum(*valids), target_BK)
        wave_BS, valid_B, all_target_BK = (
            whole.index_copy(0, torch.tensor(rows, device=whole.device), new)
            for whole, new in zip(own, changed, strict=True)
        )
        return wave_BS, valid_B, all_target_BK

    def wave(self, wave_BS: Tensor, valid_B: Tensor, clips: Sequence[Clip], epoch: int) -> Tensor:
        """Augments waveforms (B, S); `valid_B`: samples of each clip before padding."""
        samples, valid = wave_BS.shape[1], [int(count) for count in valid_B.tolist()]
        for operation in self.wave_operations:
            draws = [
                operation.draw(self._stream(clip, epoch, operation.name), samples, length)
                for clip, length in zip(clips, valid, strict=True)
            ]
            wave_BS = operation.apply(wave_BS, draws, valid)
            valid = _valid_after(operation, draws, samples, valid)
        return wave_BS

    def edge_shifts(self, clips: Sequence[Clip], epoch: int) -> Tensor | None:
        """Hz by which the band edges of each clip are moved, (B, 2), for the front end; None where none are."""
        if self.band_jitter.p == 0:
            return None
        return self.band_jitter.shifts([self._jitter_draw(clip, epoch) for clip in clips])

    def mel(self, mel_BCTF: Tensor, clips: Sequence[Clip], epoch: int) -> Tensor:
        """Augments mel spectrograms (B, C, T, F)."""
        frames, bands = mel_BCTF.shape[2:]
        for operation in self.mel_operations:
            draws = [operation.draw(self._stream(clip, epoch, operation.name), frames, bands) for clip in clips]
            mel_BCTF = operation.apply(mel_BCTF, draws)
        return mel_BCTF

    def describe(
        self, clip: Clip, epoch: int, *, samples: int, frames: int, bands: int, valid: int | None = None
    ) -> list[dict[str, object]]:
        """What is done to a clip in an epoch, in order: `{"operation": "noise", "snr_db": 12.3}`; plain data.

        `samples`: the window, `frames`, `bands`: its spectrogram, `valid`: samples before padding (all, if
        absent).
        """
        done: list[dict[str, object]] = []
        mixed = self._mixup_draw(clip, epoch)
        if mixed is not None:
            done.append({"operation": "mixup", "partner": self._clips[mixed.partner].id, "ratio": mixed.ratio})
        length = samples if valid is None else valid
        for operation in self.wave_operations:
            draw = operation.draw(self._stream(clip, epoch, operation.name), samples, length)
            if draw is not None:
                done.append({"operation": operation.name, **operation.describe(draw)})
            (length,) = _valid_after(operation, [draw], samples, [length])
        if self.band_jitter.p > 0 and (moved := self._jitter_draw(clip, epoch)) is not None:
            done.append({"operation": self.band_jitter.name, **self.band_jitter.describe(moved)})
        for operation in self.mel_operations:
            draw = operation.draw(self._stream(clip, epoch, operation.name), frames, bands)
            if draw is not None:
                done.append({"operation": operation.name, **operation.describe(draw)})
        return done

    def _mixup_draw(self, clip: Clip, epoch: int) -> MixupDraw | None:
        if self.mixup.config.p == 0:
            return None
        rng = self._stream(clip, epoch, self.mixup.name)
        return self.mixup.draw(rng, len(self._clips), self._rows.get(clip.id))

    def _jitter_draw(self, clip: Clip, epoch: int) -> BandJitterDraw | None:
        return self.band_jitter.draw(self._stream(clip, epoch, self.band_jitter.name))

    def _stream(self, clip: Clip, epoch: int, operation: str) -> np.random.Generator:
        return stream(self.seed, epoch, clip.id, operation)


def _rows(values: Tensor | None, rows: list[int]) -> Tensor:
    if values is None:
        raise RuntimeError("a batch that names partners holds no waves of theirs")
    return values.index_select(0, torch.tensor(rows, device=values.device))


def _valid_after(operation: WaveOperation, draws: Sequence[object], samples: int, valid: Sequence[int]) -> list[int]:
    return [
        length if draw is None else operation.valid_after(draw, samples, length)
        for draw, length in zip(draws, valid, strict=True)
    ]
