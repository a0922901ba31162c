"""The whole of augmentation: which operations there are, in which order, and each clip's draws from its own
streams.

Enters: batches of training clips; leaves: what the network is shown. Order: mixing of the raw waves, speed, polarity,
gain, segment gain, shift, cyclic shift, reverb, time shift, wave masking, phase noise, noise, sine, low-pass, clipping,
shorten (with `mix_waves: last` the waves are mixed only now); then the mel spectrogram, with its bands moved, its
frequencies multiplied, and made louder or softer; tempo, blocks, time masks, frequency masks; mixing of the
spectrograms.

What is done to a clip is a function of (seed, epoch, clip id, operation), of how often the epoch has given it before
(balanced sampling) and, for mixing, of the set of training clips: not of the batch it stands in, nor of threads, ranks
or resumption.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from audiosurvey.augmentation.band_jitter import BandJitter
from audiosurvey.augmentation.base import BandOperation, Draw, MelOperation, WaveOperation
from audiosurvey.augmentation.clipping import Clipping
from audiosurvey.augmentation.cutmix import Cutmix
from audiosurvey.augmentation.cyclic_shift import CyclicShift
from audiosurvey.augmentation.dropblock import DropBlock
from audiosurvey.augmentation.filter_augment import FilterAugment
from audiosurvey.augmentation.freqmix import Freqmix
from audiosurvey.augmentation.gain import Gain
from audiosurvey.augmentation.low_pass import LowPass
from audiosurvey.augmentation.masking import FreqMasking, TimeMasking
from audiosurvey.augmentation.mel_mixup import MelMixup
from audiosurvey.augmentation.mixer import Mixer
from audiosurvey.augmentation.mixing import MelMixing, Targets, WaveMixing
from audiosurvey.augmentation.mixup import Mixup
from audiosurvey.augmentation.noise import Noise
from audiosurvey.augmentation.phase_noise import PhaseNoise
from audiosurvey.augmentation.phmix import Phmix
from audiosurvey.augmentation.pitch import Pitch
from audiosurvey.augmentation.polarity import Polarity
from audiosurvey.augmentation.reverb import Reverb
from audiosurvey.augmentation.segment_gain import SegmentGain
from audiosurvey.augmentation.settings import AugmentationConfig
from audiosurvey.augmentation.shift import Shift
from audiosurvey.augmentation.shorten import Shorten
from audiosurvey.augmentation.sine import Sine
from audiosurvey.augmentation.speed import Speed
from audiosurvey.augmentation.tempo import Tempo
from audiosurvey.augmentation.time_shift import TimeShift
from audiosurvey.augmentation.timemix import Timemix
from audiosurvey.augmentation.wave_masking import WaveMasking
from audiosurvey.data.batches import Batch, Pad
from audiosurvey.data.table import Clip
from audiosurvey.features.band_change import BandChange
from audiosurvey.features.front_end import FrontEnd, Heard
from audiosurvey.randomness import stream


class Chain:
    """The augmentation of one training run.

    `seed`: of the run (and fold); `train_clips`: the set that partners are drawn from, in any order;
    `silence`: the value that digital silence has on the spectrogram; `bands`: how many that has; `pad`: what follows a
    clip that is shorter than the window. Raises UserError where impulse responses cannot be had.
    """

    def __init__(
        self,
        config: AugmentationConfig,
        *,
        seed: int,
        sample_rate: int,
        train_clips: Sequence[Clip],
        silence: float,
        bands: int,
        pad: Pad = "zeros",
    ) -> None:
        self.seed = seed
        self.bands = bands
        self.sample_rate = sample_rate
        self.mixes_last = config.mix_waves == "last"
        mixings: list[WaveMixing[Any] | MelMixing[Any]] = [
            Mixup(config.mixup),
            Timemix(config.timemix),
            Freqmix(config.freqmix, sample_rate=sample_rate),
            Phmix(config.phmix, sample_rate=sample_rate),
            MelMixup(config.mel_mixup),
            Cutmix(config.cutmix),
        ]
        waves: list[WaveOperation] = [
            Speed(config.speed),
            Polarity(config.polarity),
            Gain(config.gain),
            SegmentGain(config.segment_gain, sample_rate=sample_rate),
            Shift(config.shift, sample_rate=sample_rate),
            CyclicShift(config.cyclic_shift, sample_rate=sample_rate),
            Reverb(config.reverb, sample_rate=sample_rate),
            TimeShift(config.time_shift, sample_rate=sample_rate),
            WaveMasking(config.wave_masking, sample_rate=sample_rate),
            PhaseNoise(config.phase_noise, sample_rate=sample_rate),
            Noise(config.noise),
            Sine(config.sine, sample_rate=sample_rate),
            LowPass(config.low_pass, sample_rate=sample_rate),
            Clipping(config.clipping),
            Shorten(config.shorten, pad=pad),
        ]
        mels: list[MelOperation] = [
            Tempo(config.tempo),
            DropBlock(config.dropblock, silence=silence),
            TimeMasking(config.time_masking, silence=silence),
            FreqMasking(config.freq_masking, silence=silence),
        ]
        self.band_jitter = BandJitter(config.band_jitter)
        self.pitch = Pitch(config.pitch)
        self.filter_augment = FilterAugment(config.filter_augment)
        self.band_operations: list[BandOperation[Any]] = [self.band_jitter, self.pitch, self.filter_augment]
        self.wave_operations = [operation for operation in waves if operation.p > 0]
        self.mel_operations = [operation for operation in mels if operation.p > 0]
        self.mixer = Mixer(mixings, seed=seed, train_clips=train_clips)

    def partner(self, clip: Clip, epoch: int) -> Clip | None:
        """The training clip that this one is mixed with in this epoch, or None."""
        mixed = self.mixer.draw(clip, epoch)
        return None if mixed is None else mixed.partner

    def render(self, batch: Batch, epoch: int, front_end: FrontEnd) -> tuple[Heard, Targets]:
        """The whole way: what the network hears of a batch, and what is true of it."""
        wave_BS, targets = self.mixed_wave(batch, epoch)
        heard = self._heard(wave_BS, batch.clips, epoch, front_end)
        if isinstance(heard, tuple):
            # Of two inputs no mixing takes the spectrogram alone.
            return heard, targets
        return self.mix_mel(heard, targets, batch, epoch, front_end)

    def mixed_wave(self, batch: Batch, epoch: int) -> tuple[Tensor, Targets]:
        """All that is done to the waves of a batch, mixing first or last: waves (B, S), and the targets."""
        if not self.mixes_last:
            wave_BS, valid_B, targets = self.mix(batch, epoch)
            return self.wave(wave_BS, valid_B, batch.clips, epoch), targets
        wave_BS, valid_B = self._wave(batch.wave_BS, batch.valid_B, batch.clips, epoch)
        changed = replace(batch, wave_BS=wave_BS, valid_B=valid_B)
        rows = self.mixer.rows(WaveMixing, batch, epoch)
        if rows and batch.partner_BS is not None and batch.partner_valid_B is not None:
            at = torch.tensor(rows, device=wave_BS.device)
            theirs = (batch.partner_BS[at], batch.partner_valid_B[at])
            wave_BS, valid_B = self._wave(*theirs, _partners(batch, rows), epoch)
            changed.partner_BS = batch.partner_BS.index_copy(0, at, wave_BS)
            changed.partner_valid_B = batch.partner_valid_B.index_copy(0, at, valid_B)
        wave_BS, _, targets = self.mix(changed, epoch)
        return wave_BS, targets

    def mix(self, batch: Batch, epoch: int) -> tuple[Tensor, Tensor, Targets]:
        """Mixes the waves of a batch with those of its partners.

        Returns waves (B, S), samples before padding (B) and targets, on the devices they came on. A clip for which
        the batch holds no partner stays as it is.
        """
        return self.mixer.mix_waves(batch, epoch)

    def wave(self, wave_BS: Tensor, valid_B: Tensor, clips: Sequence[Clip], epoch: int) -> Tensor:
        """Augments waveforms (B, S); `valid_B`: samples of each clip before padding."""
        return self._wave(wave_BS, valid_B, clips, epoch)[0]

    def _wave(self, wave_BS: Tensor, valid_B: Tensor, clips: Sequence[Clip], epoch: int) -> tuple[Tensor, Tensor]:
        """The same, and how many samples of its window each clip fills then."""
        samples, valid = wave_BS.shape[1], [int(count) for count in valid_B.tolist()]
        for operation in self.wave_operations:
            draws = [
                operation.draw(self._stream(clip, epoch, operation.name), samples, length)
                for clip, length in zip(clips, valid, strict=True)
            ]
            wave_BS = operation.apply(wave_BS, draws, valid)
            valid = _valid_after(operation, draws, samples, valid)
        return wave_BS, torch.tensor(valid).to(valid_B)

    def band_change(self, clips: Sequence[Clip], epoch: int) -> BandChange:
        """What is done to the bands of each clip, for the front end."""
        return BandChange(
            edge_shifts_B2=self.band_jitter.shifts(self._band_draws(self.band_jitter, clips, epoch)),
            gain_db_BF=self.filter_augment.gains(self._band_draws(self.filter_augment, clips, epoch), self.bands),
            pitch_B=self.pitch.factors(self._band_draws(self.pitch, clips, epoch)),
        )

    def _band_draws(self, operation: BandOperation[Draw], clips: Sequence[Clip], epoch: int) -> list[Draw | None]:
        if operation.p == 0:
            return [None] * len(clips)
        return [operation.draw(self._stream(clip, epoch, operation.name)) for clip in clips]

    def mel(self, mel_BCTF: Tensor, clips: Sequence[Clip], epoch: int) -> Tensor:
        """Augments mel spectrograms (B, C, T, F)."""
        if not self.mel_operations:
            return mel_BCTF
        frames, bands = mel_BCTF.shape[2:]
        for operation in self.mel_operations:
            draws = [operation.draw(self._stream(clip, epoch, operation.name), frames, bands) for clip in clips]
            mel_BCTF = operation.apply(mel_BCTF, draws)
        return mel_BCTF

    def mix_mel(
        self, mel_BCTF: Tensor, targets: Targets, batch: Batch, epoch: int, front_end: FrontEnd
    ) -> tuple[Tensor, Targets]:
        """The last stage: mixes the augmented spectrograms of a batch with those of its partners; and the targets.

        A partner is rendered as this epoch renders it for itself, by its own draws, but for its own mixing: nobody
        is mixed with a mixture.
        """
        rows = self.mixer.rows(MelMixing, batch, epoch)
        if not rows or batch.partner_BS is None or batch.partner_valid_B is None:
            return mel_BCTF, targets
        partners = _partners(batch, rows)
        wave_BS = self.wave(batch.partner_BS[rows], batch.partner_valid_B[rows], partners, epoch)
        partner_BCTF = self._heard(wave_BS, partners, epoch, front_end)
        assert isinstance(partner_BCTF, Tensor), "spectrograms are mixed where they alone are heard"
        return self.mixer.mix_mels(mel_BCTF, targets, partner_BCTF, rows, batch, epoch)

    def _heard(self, wave_BS: Tensor, clips: Sequence[Clip], epoch: int, front_end: FrontEnd) -> Heard:
        heard = front_end(wave_BS, self.band_change(clips, epoch))
        if isinstance(heard, tuple):
            return heard[0], self.mel(heard[1], clips, epoch)
        return self.mel(heard, clips, epoch)

    def describe(
        self, clip: Clip, epoch: int, *, samples: int, frames: int, bands: int, valid: int | None = None
    ) -> list[dict[str, object]]:
        """What is done to a clip in an epoch, in order: `{"operation": "noise", "snr_db": 12.3}`; plain data.

        `samples`: the window, `frames`, `bands`: its spectrogram, `valid`: samples before padding, of the mixture
        where mixing comes first (all, if absent).
        """
        done: list[dict[str, object]] = []
        mixed = self.mixer.draw(clip, epoch)
        mixes_wave = mixed is not None and isinstance(mixed.mixing, WaveMixing)
        if mixed is not None and mixes_wave and not self.mixes_last:
            done.append(mixed.describe())
        length = samples if valid is None else valid
        for operation in self.wave_operations:
            draw = operation.draw(self._stream(clip, epoch, operation.name), samples, length)
            if draw is not None:
                done.append({"operation": operation.name, **operation.describe(draw)})
            (length,) = _valid_after(operation, [draw], samples, [length])
        if mixed is not None and mixes_wave and self.mixes_last:
            done.append(mixed.describe())
        for operation in self.band_operations:
            (draw,) = self._band_draws(operation, [clip], epoch)
            if draw is not None:
                done.append({"operation": operation.name, **operation.describe(draw)})
        for operation in self.mel_operations:
            draw = operation.draw(self._stream(clip, epoch, operation.name), frames, bands)
            if draw is not None:
                done.append({"operation": operation.name, **operation.describe(draw)})
        if mixed is not None and isinstance(mixed.mixing, MelMixing):
            done.append(mixed.describe())
        return done

    def _stream(self, clip: Clip, epoch: int, operation: str) -> np.random.Generator:
        return stream(self.seed, epoch, *clip.drawn_by, operation)


def _partners(batch: Batch, rows: list[int]) -> list[Clip]:
    return [partner for row in rows if (partner := batch.partners[row]) is not None]


def _valid_after(operation: WaveOperation, draws: Sequence[object], samples: int, valid: Sequence[int]) -> list[int]:
    return [
        length if draw is None else operation.valid_after(draw, samples, length)
        for draw, length in zip(draws, valid, strict=True)
    ]
