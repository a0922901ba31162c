"""Batches of waveforms from the store, for training and for evaluation.

Enters: a store and the clips of one side of a fold; leaves: batches of equal length, float32 on the CPU. A training
batch is a function of (seed, epoch, clips): reader threads only fetch it earlier, and processes of a distributed run
each take their share of the same global batch.
"""

import itertools
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch

from audiosurvey.data.audio.windows import Pad, fill_tail, window_starts
from audiosurvey.data.batches.sampling import NO_OTHERS, OtherSounds, Sampling, epoch_clips
from audiosurvey.data.readahead import in_order
from audiosurvey.data.store.store import Store
from audiosurvey.data.table import Clip, truth
from audiosurvey.randomness import stream


class Draws(Protocol):
    """What was drawn for the clips of a batch, as plain data. Whoever draws knows the rest of it."""

    @property
    def partners(self) -> tuple[Clip | None, ...]:
        """The clip that each is mixed with."""
        ...


class DrawFunction(Protocol):
    """Draws for the clips of a batch; called by the reader threads.

    `samples`: length of the window; `valid_of`: the samples of a clip before its padding.
    """

    def __call__(
        self, clips: Sequence[Clip], epoch: int, *, samples: int, valid_of: Callable[[Clip], int]
    ) -> Draws: ...


@dataclass
class Batch:
    """Training clips, what was drawn for them, and the partners of those that are mixed."""

    clips: tuple[Clip, ...]
    wave_BS: torch.Tensor
    valid_B: torch.Tensor
    """int64, always on the CPU: samples before the padding begins; all of them with pad "repeat"."""
    target_BK: torch.Tensor
    """float32: 1 for each label of the clip, 0 elsewhere; for sounds of no class `other_target` everywhere."""
    draws: Draws | None = None
    partner_BS: torch.Tensor | None = None
    """The partners' waves, or a clip's own where it has none; None if no clip of the batch has one."""
    partner_target_BK: torch.Tensor | None = None
    global_clips: int | None = None
    """Clips of the batch over all processes; None: the batch is of one process."""
    global_others: int | None = None
    """Those of them that are sounds of no class."""

    @property
    def others(self) -> int:
        """How many of its clips are sounds of no class."""
        return sum(clip.other for clip in self.clips)

    @property
    def partners(self) -> tuple[Clip | None, ...]:
        return self.draws.partners if self.draws else (None,) * len(self.clips)

    def to(self, device: torch.device) -> "Batch":
        """The batch with its waves and targets on the device, without waiting for the copy."""
        names = ("wave_BS", "target_BK", "partner_BS", "partner_target_BK")
        tensors = {name: value for name in names if (value := getattr(self, name)) is not None}
        return replace(self, **{name: value.to(device, non_blocking=True) for name, value in tensors.items()})


@dataclass
class Windows:
    """Windows of evaluation clips; `rows[i]` is the place in the list of clips that window i belongs to."""

    rows: np.ndarray
    wave_BS: torch.Tensor
    valid_B: torch.Tensor


class TrainBatches:
    """The training clips in random order, cropped or padded to `clip_samples`.

    Each comes once an epoch; with `sampling` "balanced" each class equally often, in as many clips.

    `batch_size` counts the clips of a global batch: with `world` processes, the one of this `rank` gets every
    world-th of them. The short last batch is kept; one that would leave a process with a single clip, of which
    a batch-norm behind the pooling has no variance, or with none, is joined to the batch before. `num_workers`
    threads fill batches ahead and call `draw` for each. `pin_memory`: page-locked memory, for faster copies to a GPU.
    `others`: sounds of no class, of which some come in every epoch; `other_target`: their target for each class.
    """

    def __init__(
        self,
        store: Store,
        clips: Sequence[Clip],
        num_classes: int,
        *,
        clip_samples: int,
        pad: Pad,
        batch_size: int,
        seed: int,
        sampling: Sampling = "shuffle",
        others: OtherSounds = NO_OTHERS,
        other_target: float = 0.0,
        num_workers: int = 0,
        rank: int = 0,
        world: int = 1,
        draw: DrawFunction | None = None,
        pin_memory: bool = False,
    ) -> None:
        if not 0 <= rank < world <= batch_size:
            raise ValueError(f"rank {rank} of {world} cannot share batches of {batch_size} clips")
        if len(clips) < world:
            raise ValueError(f"{len(clips)} training clips cannot be shared by {world} processes")
        self.clips = tuple(clips)
        self._store = store
        self._num_classes = num_classes
        self._samples = clip_samples
        self._pad: Pad = pad
        self._seed = seed
        self._sampling: Sampling = sampling
        self._others, self._other_target = others, other_target
        self._num_workers = num_workers
        self._rank = rank
        self._world = world
        self._draw = draw
        self._pin_memory = pin_memory
        total = len(self.clips) + sum(others.counts(len(self.clips)))
        starts = list(range(0, total, batch_size))
        # Where whole batches give a process one clip, the last may too.
        least = world * min(2, batch_size // world)
        if len(starts) > 1 and total - starts[-1] < least:
            del starts[-1]
        self._bounds = list(itertools.pairwise([*starts, total]))

    def __len__(self) -> int:
        """Batches an epoch, the same for every rank."""
        return len(self._bounds)

    def epoch(self, epoch: int, first: int = 0) -> Generator[Batch, None, None]:
        """The batches of an epoch, from number `first` on. Close the iterator (or exhaust it) to end its threads."""
        clips = epoch_clips(self.clips, self._seed, epoch, self._sampling, self._others)

        def fill(bounds: tuple[int, int]) -> Batch:
            whole = clips[slice(*bounds)]
            batch = self._fill(whole[self._rank :: self._world], epoch)
            batch.global_clips, batch.global_others = len(whole), sum(clip.other for clip in whole)
            return batch

        return in_order(fill, self._bounds[first:], workers=self._num_workers, ahead=2 * self._num_workers)

    def _fill(self, clips: Sequence[Clip], epoch: int) -> Batch:
        batch = Batch(tuple(clips), *self._waves(clips, epoch), self._targets(clips))
        if self._draw is not None:
            batch.draws = self._draw(clips, epoch, samples=self._samples, valid_of=self._valid)
        if any(batch.partners):
            mixed = [partner or clip for clip, partner in zip(clips, batch.partners, strict=True)]
            batch.partner_BS, _ = self._waves(mixed, epoch)
            batch.partner_target_BK = self._targets(mixed)
        return batch

    def _valid(self, clip: Clip) -> int:
        """Samples of a clip before its padding."""
        length = self._store.length(clip.id)
        return self._samples if length and self._pad == "repeat" else min(length, self._samples)

    def _waves(self, clips: Sequence[Clip], epoch: int) -> tuple[torch.Tensor, torch.Tensor]:
        starts = [self._crop(clip, epoch) for clip in clips]
        return _waves(self._store, clips, starts, self._samples, self._pad, self._pin_memory)

    def _crop(self, clip: Clip, epoch: int) -> int:
        spare = self._store.length(clip.id) - self._samples
        return int(stream(self._seed, epoch, *clip.drawn_by, "crop").integers(spare + 1)) if spare > 0 else 0

    def _targets(self, clips: Sequence[Clip]) -> torch.Tensor:
        target_BK = truth(clips, self._num_classes)
        if self._other_target:
            target_BK[[clip.other for clip in clips]] = self._other_target
        return torch.from_numpy(target_BK)


class EvalBatches:
    """Every sample of every clip, in order, nothing drawn: windows of `clip_samples`, padded as in training.

    A clip that is longer gives ceil(length / clip_samples) windows, evenly spread, the first at its beginning
    and the last at its end. `batch_size` counts windows; `reverse` gives them last first. Batches fall across
    clips.
    """

    def __init__(
        self,
        store: Store,
        clips: Sequence[Clip],
        *,
        clip_samples: int,
        pad: Pad,
        batch_size: int,
        num_workers: int = 0,
        reverse: bool = False,
        pin_memory: bool = False,
    ) -> None:
        self.clips = tuple(clips)
        self._store = store
        self._samples = clip_samples
        self._pad: Pad = pad
        self._batch_size = batch_size
        self._num_workers = num_workers
        self._pin_memory = pin_memory
        lengths = [store.length(clip.id) for clip in self.clips]
        windows = [(row, at) for row, length in enumerate(lengths) for at in window_starts(length, clip_samples)]
        self._windows = windows[::-1] if reverse else windows

    def __len__(self) -> int:
        return -(-len(self._windows) // self._batch_size)

    def __iter__(self) -> Generator[Windows, None, None]:
        starts = range(0, len(self._windows), self._batch_size)
        return in_order(self._fill, starts, workers=self._num_workers, ahead=2 * self._num_workers)

    def _fill(self, first: int) -> Windows:
        windows = self._windows[first : first + self._batch_size]
        clips = [self.clips[row] for row, _ in windows]
        wave_BS, valid_B = _waves(
            self._store, clips, [at for _, at in windows], self._samples, self._pad, self._pin_memory
        )
        return Windows(np.array([row for row, _ in windows], np.int64), wave_BS, valid_B)


def _waves(
    store: Store, clips: Sequence[Clip], starts: Sequence[int], samples: int, pad: Pad, pin_memory: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Each clip from its start on, written straight into one tensor (B, S); the valid samples of each."""
    wave_BS = torch.empty(len(clips), samples, pin_memory=pin_memory)
    valid_B = torch.empty(len(clips), dtype=torch.int64)
    rows_BS = wave_BS.numpy()
    for row, (clip, start) in enumerate(zip(clips, starts, strict=True)):
        valid_B[row] = fill_tail(rows_BS[row], store.read_into(clip.id, rows_BS[row], start), pad)
    return wave_BS, valid_B
