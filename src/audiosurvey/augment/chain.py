"""All augmentation of a training run: the operations, their order, and the draws of each clip from its own streams.

Enters: clips, then batches of them with their draws; leaves: draws, then the input of the network. Order: mixing of the
waves, speed, polarity, gain, segment gain, shift, cyclic shift, reverb, time shift, wave masking, phase noise,
background, noise, sine, low-pass, clipping, shorten (with `mix_waves: last` the waves are mixed here); band jitter,
pitch and filters between the power spectrum and its compression; tempo, blocks, time masks, frequency masks; mixing of
the spectrograms.

What is done to a clip is a function of (seed, epoch, clip id, operation), of how often the epoch has used the clip
before (balanced sampling) and, for mixing, of the set of training clips. It does not depend on the batch, nor on
threads, ranks or resuming.
"""

import inspect
from collections.abc import Callable, Container, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from audiosurvey.augment.band.operation import BandOperation, spectrogram
from audiosurvey.augment.base import OPERATIONS, MelOperation, WaveOperation
from audiosurvey.augment.draws import BatchDraws, ClipDraws, MixDraw, OperationDraws
from audiosurvey.augment.extent import Extent
from audiosurvey.augment.mixing.mixer import Mixer, Mixing
from audiosurvey.augment.mixing.mixing import MelMixing, Targets, WaveMixing
from audiosurvey.augment.mixing.timemix import Timemix
from audiosurvey.augment.settings import AugmentationConfig
from audiosurvey.augment.tensors import on_device
from audiosurvey.augment.wave.shorten import Shorten
from audiosurvey.data.batches.batches import Batch, Pad
from audiosurvey.data.batches.sampling import Sampling
from audiosurvey.data.table import Clip
from audiosurvey.features.front_end import NetworkInput, WaveAndMelFrontEnd, mel_part
from audiosurvey.randomness import stream


class Chain:
    """The augmentation of one training run.

    `seed`: of the run (and fold); `train_clips`: the set that partners are drawn from, in any order; `front_end`: of
    the network, None if waves alone are rendered; `pad`: what follows a clip that is shorter than the window; `stores`:
    where stores are (None: in the user's cache). Raises UserError if there are no impulse responses for `reverb`, or no
    recordings for `background`.
    """

    def __init__(
        self,
        config: AugmentationConfig,
        *,
        seed: int,
        sample_rate: int,
        train_clips: Sequence[Clip],
        front_end: nn.Module | None,
        sampling: Sampling = "shuffle",
        pad: Pad = "zeros",
        stores: Path | None = None,
    ) -> None:
        self.seed = seed
        self.front_end = front_end
        self.mel_front_end = None if front_end is None else mel_part(front_end)
        silence = self.mel_front_end.silence if self.mel_front_end else 0.0
        self.mixes_last = config.mix_waves == "last"
        given = {"sample_rate": sample_rate, "silence": silence, "pad": pad, "stores": stores}
        made = [_made(OPERATIONS[name], getattr(config, name), given) for name in AugmentationConfig.operations()]
        waves: list[WaveOperation] = [each for each in made if isinstance(each, WaveOperation)]
        bands: list[BandOperation[Any, Any]] = [each for each in made if isinstance(each, BandOperation)]
        mels: list[MelOperation] = [each for each in made if isinstance(each, MelOperation)]
        mixings: list[Mixing] = [each for each in made if isinstance(each, WaveMixing | MelMixing)]
        self.wave_operations = [operation for operation in waves if operation.p > 0]
        self.band_operations = [operation for operation in bands if operation.p > 0]
        self.mel_operations = [operation for operation in mels if operation.p > 0]
        self._operations: dict[str, Any] = {each.name: each for each in (*waves, *bands, *mels)}
        self.mixer = Mixer(mixings, seed=seed, train_clips=train_clips, sampling=sampling)

    def draw(self, clips: Sequence[Clip], epoch: int, *, samples: int, valid_of: Callable[[Clip], int]) -> BatchDraws:
        """Everything that is drawn for these clips in this epoch, as plain data.

        `samples`: length of the window; `valid_of`: the samples of a clip before its padding.
        """
        mixed = [self.mixer.draw(clip, epoch) for clip in clips]
        extents = [Extent.until(valid_of(clip), samples) for clip in clips]
        wave_rows, mel_rows = (tuple(self.mixer.rows(mixed, kind)) for kind in (WaveMixing, MelMixing))
        partners = [each.partner if each else clip for each, clip in zip(mixed, clips, strict=True)]

        def draw_partners(rows: Sequence[int]) -> tuple[list[Clip], tuple[OperationDraws, ...], list[Extent]]:
            chosen = [partners[row] for row in rows]
            whole = [Extent.until(valid_of(partner), samples) for partner in chosen]
            return chosen, *self._draw_waves(chosen, whole, epoch)

        wave_partners = mel_partners = ClipDraws()
        if self.mixes_last:
            waves, extents = self._draw_waves(clips, extents, epoch)
            _, partner_waves, others = draw_partners(wave_rows)
            wave_partners = ClipDraws(waves=partner_waves)
            for row, other in zip(wave_rows, others, strict=True):
                mixed[row] = _with_valid(mixed[row], extents[row].end, other.end)
                extents[row] = extents[row].joined(other)
        else:
            for row in wave_rows:
                each = _with_valid(mixed[row], extents[row].length, min(valid_of(partners[row]), samples))
                mixed[row] = each
                mixing: Any = self.mixer.mixings[each.operation]
                valid = mixing.valid_after(each.draw, each.valid, each.partner_valid, samples)
                extents[row] = Extent.until(valid, samples)
            # Shortening could remove one of two clips that follow one another, and the label would still name both.
            joined = {row for row, each in enumerate(mixed) if each and each.operation == Timemix.name}
            waves, extents = self._draw_waves(clips, extents, epoch, unshortened=joined)
        own = self._draw_spectra(clips, waves, extents, samples, epoch)
        if mel_rows and self.mel_front_end:
            mel_partners = self._draw_spectra(*draw_partners(mel_rows), samples, epoch)
        return BatchDraws(tuple(mixed), own, wave_rows, mel_rows, wave_partners, mel_partners)

    def _draw_waves(
        self, clips: Sequence[Clip], extents: list[Extent], epoch: int, unshortened: Container[int] = ()
    ) -> tuple[tuple[OperationDraws, ...], list[Extent]]:
        """The draws of the operations on waves, and where each clip sounds afterwards."""
        drawn: list[OperationDraws] = []
        for operation in self.wave_operations:
            skipped = unshortened if isinstance(operation, Shorten) else ()
            draws = [
                None if row in skipped else operation.draw_in(self._stream(clip, epoch, operation.name), extent)
                for row, (clip, extent) in enumerate(zip(clips, extents, strict=True))
            ]
            drawn.append(OperationDraws(operation.name, tuple(draws), tuple(extents)))
            extents = _after(operation, draws, extents)
        return _fired(drawn), extents

    def _draw_spectra(
        self,
        clips: Sequence[Clip],
        waves: tuple[OperationDraws, ...],
        extents: list[Extent],
        samples: int,
        epoch: int,
    ) -> ClipDraws:
        """Adds the draws of the operations on bands and spectrograms to those on waves."""
        sounds = tuple(extents)
        if self.mel_front_end is None:
            return ClipDraws(waves=waves, wave_extents=sounds)
        frames, num_bands = self.mel_front_end.num_frames(samples), self.mel_front_end.num_bands
        bands = [
            OperationDraws(each.name, tuple(each.draw(self._stream(clip, epoch, each.name)) for clip in clips))
            for each in self.band_operations
        ]
        mels: list[OperationDraws] = []
        extents = [extent.in_cells(frames) for extent in extents]
        for operation in self.mel_operations:
            draws = [
                operation.draw(self._stream(clip, epoch, operation.name), frames, num_bands, extent)
                for clip, extent in zip(clips, extents, strict=True)
            ]
            mels.append(OperationDraws(operation.name, tuple(draws), tuple(extents)))
            extents = _after(operation, draws, extents)
        return ClipDraws(waves, _fired(bands), _fired(mels), sounds, tuple(extents))

    def render(self, batch: Batch) -> tuple[NetworkInput, Targets]:
        """The input of the network for a batch with its draws, and the targets; on the device of the batch."""
        wave_BS, targets = self.render_waves(batch)
        return self.render_inputs(batch, wave_BS, targets)

    @torch.no_grad()
    def render_waves(self, batch: Batch) -> tuple[Tensor, Targets]:
        """Waves (B, S) after mixing and all operations on waves; and the targets so far."""
        draws = _draws_of(batch)
        wave_BS, partner_BS, partner_BK = batch.wave_BS, batch.partner_BS, batch.partner_target_BK
        if self.mixes_last:
            wave_BS = self.apply_waves(wave_BS, draws.clips)
        if not draws.wave_rows or partner_BS is None or partner_BK is None:
            targets = Targets.unmixed(batch.target_BK)
        else:
            if self.mixes_last:
                at = on_device(draws.wave_rows, partner_BS.device)
                changed_BS = self.apply_waves(partner_BS.index_select(0, at), draws.wave_partners)
                partner_BS = partner_BS.index_copy(0, at, changed_BS)
            wave_BS, targets = self.mixer.mix_waves((wave_BS, partner_BS), (batch.target_BK, partner_BK), draws)
        if not self.mixes_last:
            wave_BS = self.apply_waves(wave_BS, draws.clips)
        return wave_BS, targets

    @torch.no_grad()
    def render_inputs(self, batch: Batch, wave_BS: Tensor, targets: Targets) -> tuple[NetworkInput, Targets]:
        """The input of the network from rendered waves, its spectrograms augmented and mixed.

        A partner is rendered as for itself in this epoch, but unmixed.
        """
        assert self.front_end is not None, "without a front end, waves alone are rendered"
        draws = _draws_of(batch)
        if self.mel_front_end is None:
            return self.front_end(wave_BS), targets
        mel_BCTF = self.apply_mels(self._spectrogram(wave_BS, draws.clips), draws.clips)
        if isinstance(self.front_end, WaveAndMelFrontEnd):
            # No mixing changes the spectrogram alone where the network takes the wave too.
            return (wave_BS.float().unsqueeze(1), mel_BCTF), targets
        if not draws.mel_rows or batch.partner_BS is None or batch.partner_target_BK is None:
            return mel_BCTF, targets
        at = on_device(draws.mel_rows, wave_BS.device)
        partner_BS = self.apply_waves(batch.partner_BS.index_select(0, at), draws.mel_partners)
        partner_BCTF = self.apply_mels(self._spectrogram(partner_BS, draws.mel_partners), draws.mel_partners)
        return self.mixer.mix_mels(mel_BCTF, partner_BCTF, targets, batch.partner_target_BK, draws)

    def apply_waves(self, wave_BS: Tensor, draws: ClipDraws) -> Tensor:
        """Waves (B, S) with the drawn operations on waves."""
        for step in draws.waves:
            operation: WaveOperation[Any, Any] = self._operations[step.operation]
            wave_BS = operation.apply(wave_BS, step.draws, [extent.length for extent in step.extents])
        return wave_BS

    def apply_mels(self, mel_BCTF: Tensor, draws: ClipDraws) -> Tensor:
        """Spectrograms (B, C, T, F) with the drawn operations on spectrograms."""
        for step in draws.mels:
            operation: MelOperation[Any, Any] = self._operations[step.operation]
            mel_BCTF = operation.apply(mel_BCTF, step.draws, step.extents)
        return mel_BCTF

    def _spectrogram(self, wave_BS: Tensor, draws: ClipDraws) -> Tensor:
        assert self.mel_front_end is not None
        drawn = [(self._operations[step.operation], step.draws) for step in draws.bands]
        return spectrogram(self.mel_front_end, wave_BS, drawn)

    def describe(self, draws: BatchDraws, row: int) -> list[dict[str, object]]:
        """What is done to one clip of a batch, in order: `{"operation": "noise", "snr_db": 12.3}`; plain data."""
        mixed, clips = draws.mixed[row], draws.clips
        mix: list[dict[str, object]] = []
        if mixed is not None:
            values = self.mixer.mixings[mixed.operation].describe(mixed.draw)
            mix = [{"operation": mixed.operation, "partner": mixed.partner.id, **values}]
        waves, bands, mels = (
            [
                {"operation": step.operation, **self._operations[step.operation].describe(step.draws[row])}
                for step in steps
                if step.draws[row] is not None
            ]
            for steps in (clips.waves, clips.bands, clips.mels)
        )
        if row in draws.wave_rows:
            waves = waves + mix if self.mixes_last else mix + waves
        return waves + bands + mels + (mix if row in draws.mel_rows else [])

    def _stream(self, clip: Clip, epoch: int, operation: str) -> np.random.Generator:
        return stream(self.seed, epoch, *clip.drawn_by, operation)


def _draws_of(batch: Batch) -> BatchDraws:
    assert isinstance(batch.draws, BatchDraws), "batches are rendered with the draws of `Chain.draw`"
    return batch.draws


def _with_valid(mixed: MixDraw | None, valid: int, partner_valid: int) -> MixDraw:
    assert mixed is not None
    return replace(mixed, valid=valid, partner_valid=partner_valid)


def _fired(drawn: Sequence[OperationDraws]) -> tuple[OperationDraws, ...]:
    """Those that change any clip."""
    return tuple(step for step in drawn if any(draw is not None for draw in step.draws))


def _after(
    operation: WaveOperation[Any, Any] | MelOperation[Any, Any], draws: Sequence[Any], extents: Sequence[Extent]
) -> list[Extent]:
    return [
        extent if draw is None else operation.extent_after(draw, extent)
        for draw, extent in zip(draws, extents, strict=True)
    ]


def _made(operation: type[Any], config: Any, given: dict[str, Any]) -> Any:
    """An operation from its section of the config, and those of the `given` values that its constructor takes."""
    wanted = inspect.signature(operation).parameters
    return operation(config, **{name: value for name, value in given.items() if name in wanted})
