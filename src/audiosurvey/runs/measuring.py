"""The range of the training clips: level, bandwidth, length and noise of clips as augmentation renders them.

At most a few hundred clips are measured, the same ones every time.
"""

from collections.abc import Iterator, Sequence

import torch

from audiosurvey.artefact.training_range import TrainingRange
from audiosurvey.augment.chain import Chain
from audiosurvey.augment.draws import BatchDraws
from audiosurvey.config.root import Config
from audiosurvey.data.audio.measures import measure
from audiosurvey.data.batches.batches import Batch, TrainBatches
from audiosurvey.data.sounds import Sounds
from audiosurvey.data.table import Clip

RENDERED = 256
"""Clips to measure: evenly spread over a larger set, over several epochs of a smaller one."""
_MOST_EPOCHS = 16
_BATCH = 16


@torch.no_grad()
def training_range(config: Config, sounds: Sounds, clips: Sequence[Clip]) -> TrainingRange:
    """The range of `clips` as the stage `train` of this resolved config augments them, before padding."""
    chosen = _spread(sorted(clips, key=lambda clip: clip.id))
    window = sounds.window_samples
    # A linear probe is fitted to clips without augmentation.
    chain = None if config.train.head_only else _chain(config, clips)
    samples = window if chain is None else config.train.heard_samples(window, config.sample_rate)
    batches = TrainBatches(
        sounds.store,
        chosen,
        len(sounds.table.classes),
        clip_samples=samples,
        # Whatever the padding of the data set: `valid_B` then says where the clip ends.
        pad="zeros",
        batch_size=_BATCH,
        seed=config.seed,
        draw=None if chain is None else chain.draw,
    )
    varies = any(sounds.store.length(clip.id) > samples for clip in chosen)
    if chain is not None:
        varies |= bool(chain.wave_operations or chain.mixer.mixings)
    epochs = min(_MOST_EPOCHS, -(-RENDERED // len(chosen))) if varies else 1
    first = max([1, *(mixing.start_epoch for mixing in chain.mixer.mixings.values())]) if chain is not None else 1
    measures, whole_s = [], []
    for epoch in range(first, first + epochs):
        for batch in batches.epoch(epoch):
            waves = _rendered(chain, batch)
            measures += [measure(wave_S.numpy(), config.sample_rate) for wave_S in waves]
            lengths = [min(sounds.store.length(clip.id), window) for clip in batch.clips]
            whole_s += [length / config.sample_rate for length in lengths]
    return TrainingRange.of(measures, whole_s)


def _rendered(chain: Chain | None, batch: Batch) -> Iterator[torch.Tensor]:
    if chain is None:
        yield from (
            wave_S[: max(1, valid)] for wave_S, valid in zip(batch.wave_BS, batch.valid_B.tolist(), strict=True)
        )
        return
    wave_BS, _ = chain.render_waves(batch)
    assert isinstance(batch.draws, BatchDraws)
    for wave_S, extent in zip(wave_BS, batch.draws.clips.wave_extents, strict=True):
        part = extent.longer_part
        yield wave_S[part.first : part.first + max(1, part.length)]


def _chain(config: Config, clips: Sequence[Clip]) -> Chain:
    return Chain(
        config.augmentation,
        seed=config.seed,
        sample_rate=config.sample_rate,
        train_clips=clips,
        front_end=None,  # waves alone are rendered
        sampling=config.train.sampling,
        stores=config.dataset.store,
    )


def _spread(clips: Sequence[Clip]) -> list[Clip]:
    if len(clips) <= RENDERED:
        return list(clips)
    return [clips[place * len(clips) // RENDERED] for place in range(RENDERED)]
