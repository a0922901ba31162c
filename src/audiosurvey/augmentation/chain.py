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

from collections.abc import Container, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from audiosurvey.augmentation.band.band_jitter import BandJitter
from audiosurvey.augmentation.band.filter_augment import FilterAugment
from audiosurvey.augmentation.band.pitch import Pitch
from audiosurvey.augmentation.base import BandOperation, Draw, MelOperation, WaveOperation
from audiosurvey.augmentation.extent import Extent
from audiosurvey.augmentation.mel.dropblock import DropBlock
from audiosurvey.augmentation.mel.masking import FreqMasking, TimeMasking
from audiosurvey.augmentation.mel.tempo import Tempo
from audiosurvey.augmentation.mixing.cutmix import Cutmix
from audiosurvey.augmentation.mixing.freqmix import Freqmix
from audiosurvey.augmentation.mixing.mel_mixup import MelMixup
from audiosurvey.augmentation.mixing.mixer import Mixer
from audiosurvey.augmentation.mixing.mixing import MelMixing, Targets, WaveMixing
from audiosurvey.augmentation.mixing.mixup import Mixup
from audiosurvey.augmentation.mixing.phmix import Phmix
from audiosurvey.augmentation.mixing.timemix import Timemix
from audiosurvey.augmentation.settings import AugmentationConfig
from audiosurvey.augmentation.wave.clipping import Clipping
from audiosurvey.augmentation.wave.cyclic_shift import CyclicShift
from audiosurvey.augmentation.wave.gain import Gain
from audiosurvey.augmentation.wave.low_pass import LowPass
from audiosurvey.augmentation.wave.noise import Noise
from audiosurvey.augmentation.wave.phase_noise import PhaseNoise
from audiosurvey.augmentation.wave.polarity import Polarity
from audiosurvey.augmentation.wave.reverb import Reverb
from audiosurvey.augmentation.wave.segment_gain import SegmentGain
from audiosurvey.augmentation.wave.shift import Shift
from audiosurvey.augmentation.wave.shorten import Shorten
from audiosurvey.augmentation.wave.sine import Sine
from audiosurvey.augmentation.wave.speed import Speed
from audiosurvey.augmentation.wave.time_shift import TimeShift
from audiosurvey.augmentation.wave.wave_masking import WaveMasking
from audiosurvey.data.batches.batches import Batch, Pad
from audiosurvey.data.batches.sampling import Sampling
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
        sampling: Sampling = "shuffle",
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
        self.mixer = Mixer(mixings, seed=seed, train_clips=train_clips, sampling=sampling)

    def partner(self, clip: Clip, epoch: int) -> Clip | None:
        """The training clip that this one is mixed with in this epoch, or None."""
        mixed = self.mixer.draw(clip, epoch)
        return None if mixed is None else mixed.partner

    def render(self, batch: Batch, epoch: int, front_end: FrontEnd) -> tuple[Heard, Targets]:
        """The whole way: what the network hears of a batch, and what is true of it."""
        wave_BS, extents, targets = self.mixed_wave(batch, epoch)
        heard, extents = self._heard(wave_BS, extents, batch.clips, epoch, front_end)
        if isinstance(heard, tuple):
            # Of two inputs no mixing takes the spectrogram alone.
            return heard, targets
        return self.mix_mel(heard, targets, extents, batch, epoch, front_end)

    def mixed_wave(self, batch: Batch, epoch: int) -> tuple[Tensor, list[Extent], Targets]:
        """All that is done to the waves of a batch, mixing first or last: waves (B, S), where each sounds, and the
        targets."""
        samples = batch.wave_BS.shape[1]
        if not self.mixes_last:
            wave_BS, valid_B, targets = self.mix(batch, epoch)
            joined = {row for row, clip in enumerate(batch.clips) if self._is_joined(clip, epoch)}
            extents = _from_the_start(valid_B, samples)
            wave_BS, extents = self._wave(wave_BS, extents, batch.clips, epoch, joined)
            return wave_BS, extents, targets
        wave_BS, extents = self._wave(batch.wave_BS, _from_the_start(batch.valid_B, samples), batch.clips, epoch)
        changed = replace(batch, wave_BS=wave_BS, valid_B=_ends(extents, batch.valid_B))
        rows = self.mixer.rows(WaveMixing, batch, epoch)
        if rows and batch.partner_BS is not None and batch.partner_valid_B is not None:
            at = torch.tensor(rows, device=wave_BS.device)
            their_valid_B = batch.partner_valid_B[at]
            before = batch.partner_BS[at], _from_the_start(their_valid_B, samples)
            wave_BS, theirs = self._wave(*before, _partners(batch, rows), epoch)
            changed.partner_BS = batch.partner_BS.index_copy(0, at, wave_BS)
            changed.partner_valid_B = batch.partner_valid_B.index_copy(0, at, _ends(theirs, their_valid_B))
            for row, other in zip(rows, theirs, strict=True):
                extents[row] = extents[row].joined(other)
        wave_BS, _, targets = self.mix(changed, epoch)
        return wave_BS, extents, targets

    def mix(self, batch: Batch, epoch: int) -> tuple[Tensor, Tensor, Targets]:
        """Mixes the waves of a batch with those of its partners.

        Returns waves (B, S), samples before padding (B) and targets, on the devices they came on. A clip for which
        the batch holds no partner stays as it is.
        """
        return self.mixer.mix_waves(batch, epoch)

    def wave(self, wave_BS: Tensor, valid_B: Tensor, clips: Sequence[Clip], epoch: int) -> Tensor:
        """Augments waveforms (B, S); `valid_B`: samples of each clip before padding."""
        return self._wave(wave_BS, _from_the_start(valid_B, wave_BS.shape[1]), clips, epoch)[0]

    def _wave(
        self, wave_BS: Tensor, extents: list[Extent], clips: Sequence[Clip], epoch: int, joined: Container[int] = ()
    ) -> tuple[Tensor, list[Extent]]:
        """The same, and where in its window each clip sounds then. `joined`: rows that are not shortened."""
        for operation in self.wave_operations:
            skipped = joined if isinstance(operation, Shorten) else ()
            draws = [
                None if row in skipped else operation.draw_in(self._stream(clip, epoch, operation.name), extent)
                for row, (clip, extent) in enumerate(zip(clips, extents, strict=True))
            ]
            wave_BS = operation.apply(wave_BS, draws, [extent.length for extent in extents])
            extents = _after(operation, draws, extents)
        return wave_BS, extents

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
        """Augments mel spectrograms (B, C, T, F) of clips that fill their windows."""
        return self.mel_in(mel_BCTF, [Extent.whole(mel_BCTF.shape[2])] * len(clips), clips, epoch)[0]

    def mel_in(
        self, mel_BCTF: Tensor, extents: list[Extent], clips: Sequence[Clip], epoch: int
    ) -> tuple[Tensor, list[Extent]]:
        """The same of clips that sound in these parts of their windows; and the frames in which they sound then."""
        frames, bands = mel_BCTF.shape[2:]
        extents = [extent.in_cells(frames) for extent in extents]
        for operation in self.mel_operations:
            draws = [
                operation.draw(self._stream(clip, epoch, operation.name), frames, bands, extent)
                for clip, extent in zip(clips, extents, strict=True)
            ]
            mel_BCTF = operation.apply(mel_BCTF, draws, extents)
            extents = _after(operation, draws, extents)
        return mel_BCTF, extents

    def mix_mel(
        self,
        mel_BCTF: Tensor,
        targets: Targets,
        extents: list[Extent],
        batch: Batch,
        epoch: int,
        front_end: FrontEnd,
    ) -> tuple[Tensor, Targets]:
        """The last stage: mixes the augmented spectrograms of a batch with those of its partners; and the targets.

        A partner is rendered as this epoch renders it for itself, by its own draws, but for its own mixing: nobody
        is mixed with a mixture. `extents`: the frames in which the clips of the batch sound.
        """
        rows = self.mixer.rows(MelMixing, batch, epoch)
        if not rows or batch.partner_BS is None or batch.partner_valid_B is None:
            return mel_BCTF, targets
        partners, samples = _partners(batch, rows), batch.wave_BS.shape[1]
        before = _from_the_start(batch.partner_valid_B[rows], samples)
        wave_BS, theirs = self._wave(batch.partner_BS[rows], before, partners, epoch)
        partner_BCTF, theirs = self._heard(wave_BS, theirs, partners, epoch, front_end)
        assert isinstance(partner_BCTF, Tensor), "spectrograms are mixed where they alone are heard"
        return self.mixer.mix_mels(mel_BCTF, targets, partner_BCTF, rows, batch, epoch, (extents, theirs))

    def _heard(
        self, wave_BS: Tensor, extents: list[Extent], clips: Sequence[Clip], epoch: int, front_end: FrontEnd
    ) -> tuple[Heard, list[Extent]]:
        """What a front end makes of waves, augmented; and the frames (samples, of waves alone) that sound."""
        heard = front_end(wave_BS, self.band_change(clips, epoch))
        if isinstance(heard, tuple):
            mel_BCTF, extents = self.mel_in(heard[1], extents, clips, epoch)
            return (heard[0], mel_BCTF), extents
        is_mel = heard.ndim == 4
        return self.mel_in(heard, extents, clips, epoch) if is_mel else (heard, extents)

    def describe(
        self,
        clip: Clip,
        epoch: int,
        *,
        samples: int,
        frames: int,
        bands: int,
        valid: int | None = None,
        extent: Extent | None = None,
    ) -> list[dict[str, object]]:
        """What is done to a clip in an epoch, in order: `{"operation": "noise", "snr_db": 12.3}`; plain data.

        `samples`: the window, `frames`, `bands`: its spectrogram, `valid`: samples before padding, of the mixture
        where mixing comes first (all, if absent). `extent`: where the wave sounds when all is done to it, as
        `mixed_wave` tells; reckoned without a partner that is mixed in last, if absent.
        """
        done: list[dict[str, object]] = []
        mixed = self.mixer.draw(clip, epoch)
        mixes_wave = mixed is not None and isinstance(mixed.mixing, WaveMixing)
        if mixed is not None and mixes_wave and not self.mixes_last:
            done.append(mixed.describe())
        heard = Extent.until(samples if valid is None else valid, samples)
        joined = self._is_joined(clip, epoch)
        for operation in self.wave_operations:
            if joined and isinstance(operation, Shorten):
                continue
            draw = operation.draw_in(self._stream(clip, epoch, operation.name), heard)
            if draw is not None:
                done.append({"operation": operation.name, **operation.describe(draw)})
            (heard,) = _after(operation, [draw], [heard])
        if mixed is not None and mixes_wave and self.mixes_last:
            done.append(mixed.describe())
        for operation in self.band_operations:
            (draw,) = self._band_draws(operation, [clip], epoch)
            if draw is not None:
                done.append({"operation": operation.name, **operation.describe(draw)})
        heard = (extent or heard).in_cells(frames)
        for operation in self.mel_operations:
            draw = operation.draw(self._stream(clip, epoch, operation.name), frames, bands, heard)
            if draw is not None:
                done.append({"operation": operation.name, **operation.describe(draw)})
            (heard,) = _after(operation, [draw], [heard])
        if mixed is not None and isinstance(mixed.mixing, MelMixing):
            done.append(mixed.describe())
        return done

    def _is_joined(self, clip: Clip, epoch: int) -> bool:
        """Whether parts of two clips follow one another in the window: shortening could then leave one of them, while
        the label names both."""
        mixed = None if self.mixes_last else self.mixer.draw(clip, epoch)
        return mixed is not None and isinstance(mixed.mixing, Timemix)

    def _stream(self, clip: Clip, epoch: int, operation: str) -> np.random.Generator:
        return stream(self.seed, epoch, *clip.drawn_by, operation)


def _partners(batch: Batch, rows: list[int]) -> list[Clip]:
    return [partner for row in rows if (partner := batch.partners[row]) is not None]


def _from_the_start(valid_B: Tensor, samples: int) -> list[Extent]:
    """Clips as they came: from the beginning of the window to their padding."""
    return [Extent.until(int(valid), samples) for valid in valid_B.tolist()]


def _ends(extents: Sequence[Extent], like_B: Tensor) -> Tensor:
    return torch.tensor([extent.end for extent in extents]).to(like_B)


def _after(
    operation: WaveOperation[Any] | MelOperation[Any], draws: Sequence[Any], extents: Sequence[Extent]
) -> list[Extent]:
    return [
        extent if draw is None else operation.extent_after(draw, extent)
        for draw, extent in zip(draws, extents, strict=True)
    ]
