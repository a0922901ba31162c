"""Renders any training clip of any epoch again, as the network hears it."""

from typing import Any

import torch

from audiosurvey.augmentation.chain import Chain
from audiosurvey.config.root import Config
from audiosurvey.data.batches.batches import TrainBatches
from audiosurvey.data.names import composed
from audiosurvey.data.sounds import Sounds
from audiosurvey.errors import UserError
from audiosurvey.features.front_end import mel_for_show


@torch.no_grad()
def render_clip(config: Config, sounds: Sounds, clip_id: str, epoch: int) -> dict[str, Any]:
    """The arguments of `write_preview`: waves and spectrograms before and after augmentation, and what was drawn.

    Mixing partners come from the whole table here; in a fold they come from its training clips.
    """
    clip_id = composed(clip_id)
    found = [clip for clip in sounds.table.clips if clip.id == clip_id]
    unreadable = [bad.reason for bad in sounds.store.skipped if bad.id == clip_id]
    if unreadable:
        raise UserError(f"--clip {clip_id}: cannot be read: {unreadable[0]}")
    if not found:
        examples = ", ".join(clip.id for clip in sounds.table.clips[:3])
        raise UserError(f"--clip {clip_id}: no such clip; ids look like {examples}")
    clip = found[0]
    front_end = mel_for_show(config.heard_mel, config.sample_rate)
    chain = Chain(
        config.augmentation,
        seed=config.seed,
        sample_rate=config.sample_rate,
        train_clips=sounds.table.clips,
        silence=front_end.silence,
        bands=front_end.num_bands,
        sampling=config.train.sampling,
        pad=sounds.config.pad,
    )
    samples = config.train.heard_samples(sounds.window_samples, config.sample_rate)
    batches = TrainBatches(
        sounds.store,
        [clip],
        len(sounds.table.classes),
        clip_samples=samples,
        pad=sounds.config.pad,
        batch_size=1,
        seed=config.seed,
        partner=chain.partner,
    )
    (batch,) = list(batches.epoch(epoch))
    after_BS, extents, targets = chain.mixed_wave(batch, epoch)
    mel_before = front_end(batch.wave_BS)
    mel_after = front_end(after_BS, chain.band_change(batch.clips, epoch))
    mel_after, frames_of = chain.mel_in(mel_after, extents, batch.clips, epoch)
    mel_after, _ = chain.mix_mel(mel_after, targets, frames_of, batch, epoch, front_end)
    frames, bands = mel_after.shape[2:]
    valid_B = batch.valid_B if chain.mixes_last else chain.mix(batch, epoch)[1]
    size = {"samples": samples, "frames": frames, "bands": bands}
    drawn = chain.describe(clip, epoch, **size, valid=int(valid_B[0]), extent=extents[0])
    return {
        "clip": clip,
        "epoch": epoch,
        "before": batch.wave_BS[0].numpy(),
        "after": after_BS[0].numpy(),
        "sample_rate": config.sample_rate,
        "mel_before": mel_before[0, 0].numpy(),
        "mel_after": mel_after[0, 0].numpy(),
        "drawn": drawn,
        "hop_s": front_end.hop / config.sample_rate,
        "unit": "dB" if front_end.config.compression == "db" else None,
    }
