"""Renders any training clip of any epoch again, as it enters the network."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from audiosurvey.augment.chain import Chain
from audiosurvey.augment.draws import BatchDraws
from audiosurvey.config.root import Config
from audiosurvey.data.batches.batches import TrainBatches
from audiosurvey.data.names import composed
from audiosurvey.data.sounds import Sounds
from audiosurvey.data.table import Clip
from audiosurvey.errors import ArgumentError
from audiosurvey.features.front_end import mel_for_show
from audiosurvey.features.mel import MelFrontEnd


@torch.no_grad()
def render_clip(
    config: Config, sounds: Sounds, clip_id: str, epoch: int, *, partners: Sequence[Clip] | None = None
) -> dict[str, Any]:
    """The arguments of `write_preview`: waves and spectrograms before and after augmentation, and what was drawn.

    `partners`: the clips that it may be mixed with, such as the training clips of a fold; None: the whole table.
    """
    clip_id = composed(clip_id)
    others = sounds.others.clips if sounds.others else ()
    found = [clip for clip in (*sounds.table.clips, *others) if clip.id == clip_id]
    unreadable = [bad.reason for bad in sounds.store.skipped if bad.id == clip_id]
    if unreadable:
        raise ArgumentError(f"{{clip}}: cannot be read: {unreadable[0]}", clip=clip_id)
    if not found:
        examples = ", ".join(clip.id for clip in sounds.table.clips[:3])
        raise ArgumentError(f"{{clip}}: no such clip; ids look like {examples}", clip=clip_id)
    clip = found[0]
    front_end = mel_for_show(config.heard_mel, config.sample_rate)
    chain = Chain(
        config.augmentation,
        seed=config.seed,
        sample_rate=config.sample_rate,
        train_clips=sounds.table.clips if partners is None else partners,
        front_end=front_end,
        sampling=config.train.sampling,
        pad=sounds.config.pad,
        stores=config.dataset.store,
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
        draw=chain.draw,
    )
    (batch,) = list(batches.epoch(epoch))
    after_BS, targets = chain.render_waves(batch)
    mel_after, _ = chain.render_inputs(batch, after_BS, targets)
    assert isinstance(mel_after, torch.Tensor)
    assert isinstance(batch.draws, BatchDraws)
    return {
        "clip": clip,
        "epoch": epoch,
        "before": batch.wave_BS[0].numpy(),
        "after": after_BS[0].numpy(),
        "sample_rate": config.sample_rate,
        "mel_before": front_end(batch.wave_BS)[0, 0].numpy(),
        "mel_after": mel_after[0, 0].numpy(),
        "drawn": chain.describe(batch.draws, 0),
        "hop_s": front_end.hop / config.sample_rate,
        "centres_hz": _centres_hz(front_end, config.sample_rate),
        "unit": "dB" if front_end.config.compression == "db" else None,
    }


def _centres_hz(front_end: MelFrontEnd, sample_rate: int) -> list[float]:
    """The mean frequency of each band; of bands without any bin, between those of their neighbours."""
    filters_NF = front_end.config.filters(sample_rate).double().numpy()
    weight_F = filters_NF.sum(axis=0)
    centres_F = np.linspace(0, sample_rate / 2, len(filters_NF)) @ filters_NF / np.maximum(weight_F, 1e-12)
    bands, full = np.arange(len(weight_F)), weight_F > 0
    return np.interp(bands, bands[full], centres_F[full]).tolist()
