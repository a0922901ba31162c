"""Batches: what training and evaluation get to hear, and that threads and processes do not change it."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st

from audiosurvey.data.audio.windows import Pad, window_starts
from audiosurvey.data.batches.batches import Batch, DrawFunction, EvalBatches, TrainBatches, Windows
from audiosurvey.data.store.store import Store, prepare
from audiosurvey.data.table import Clip, Table

RATE = 1000
LENGTHS = [250, 100, 40, 100, 260, 99, 7]


@pytest.fixture
def data(tmp_path: Path) -> tuple[Store, tuple[Clip, ...]]:
    """Clips whose samples count up from 0 to 1, so that a sample's value tells its place."""
    clips = []
    for number, length in enumerate(LENGTHS):
        path = tmp_path / f"{number}.wav"
        soundfile.write(path, np.arange(1, length + 1) / length, RATE, subtype="FLOAT")
        clips.append(Clip(path.name, path, (number % 3,) if number else (0, 2)))
    table = Table("t", tmp_path, ("a", "b", "c"), tuple(clips))
    return prepare(table, sample_rate=RATE, mono="mean"), table.clips


def train(data: tuple[Store, tuple[Clip, ...]], **options: object) -> TrainBatches:
    settings: dict = {"clip_samples": 100, "pad": "zeros", "batch_size": 3, "seed": 5} | options
    return TrainBatches(*data, 3, **settings)


def test_an_epoch_has_each_clip_once_and_another_order_each_time(data: tuple) -> None:
    batches = train(data)
    epochs = [[clip.id for batch in batches.epoch(epoch) for clip in batch.clips] for epoch in range(3)]
    assert len(batches) == 2
    assert [len(batch.clips) for batch in batches.epoch(0)] == [3, 4]
    for order in epochs:
        assert sorted(order) == [clip.id for clip in data[1]]
    assert epochs[0] != epochs[1] != epochs[2]
    assert [clip.id for batch in batches.epoch(1) for clip in batch.clips] == epochs[1]


def test_targets_have_a_one_for_each_label(data: tuple) -> None:
    for batch in train(data).epoch(0):
        for clip, target_K in zip(batch.clips, batch.target_BK, strict=True):
            assert target_K.nonzero().flatten().tolist() == list(clip.labels)
            assert target_K.sum() == len(clip.labels)


@pytest.mark.parametrize("pad", ["zeros", "repeat"])
def test_short_clips_are_padded_long_ones_cropped(data: tuple, pad: Pad) -> None:
    store = data[0]
    for batch in train(data, pad=pad).epoch(0):
        for clip, wave_S, valid in zip(batch.clips, batch.wave_BS.numpy(), batch.valid_B, strict=True):
            whole_S = store.read(clip.id)
            if len(whole_S) > 100:
                start = round(float(wave_S[0]) * len(whole_S)) - 1
                assert np.array_equal(wave_S, whole_S[start : start + 100])
                assert valid == 100
            elif pad == "zeros":
                assert np.array_equal(wave_S, np.pad(whole_S, (0, 100 - len(whole_S))))
                assert valid == len(whole_S)
            else:
                assert np.array_equal(wave_S, np.resize(whole_S, 100))
                assert valid == 100


def test_crops_reach_both_ends_of_a_long_clip(data: tuple) -> None:
    store, clips = data
    batches = TrainBatches(store, clips[4:5], 3, clip_samples=258, pad="zeros", batch_size=1, seed=0)
    first = {round(float(next(batches.epoch(epoch)).wave_BS[0, 0]) * 260) for epoch in range(40)}
    assert first == {1, 2, 3}


def equal(one: Batch, other: Batch) -> bool:
    tensors = ("wave_BS", "valid_B", "target_BK", "partner_BS", "partner_target_BK")
    pairs = [(getattr(one, name), getattr(other, name)) for name in tensors]
    return (one.clips, one.draws) == (other.clips, other.draws) and all(
        torch.equal(a, b) if a is not None and b is not None else a is b for a, b in pairs
    )


def next_clip(data: tuple):
    clips = data[1]
    return partners_by(lambda clip, epoch: clips[(clips.index(clip) + epoch) % 7] if clip.labels == (1,) else None)


@dataclass(frozen=True)
class Drawn:
    partners: tuple[Clip | None, ...]
    valid: tuple[int, ...]
    partner_valid: tuple[int, ...]


def partners_by(partner: Callable[[Clip, int], Clip | None]) -> DrawFunction:
    def draw(clips: Sequence[Clip], epoch: int, *, samples: int, valid_of: Callable[[Clip], int]) -> Drawn:
        partners = tuple(partner(clip, epoch) for clip in clips)
        others = (other or clip for other, clip in zip(partners, clips, strict=True))
        return Drawn(partners, tuple(map(valid_of, clips)), tuple(map(valid_of, others)))

    return draw


@pytest.mark.parametrize("num_workers", [1, 3])
def test_reader_threads_change_nothing(data: tuple, num_workers: int) -> None:
    alone = list(train(data, draw=next_clip(data)).epoch(2))
    ahead = list(train(data, draw=next_clip(data), num_workers=num_workers).epoch(2))
    assert len(alone) == len(ahead)
    assert all(equal(a, b) for a, b in zip(alone, ahead, strict=True))


def test_a_clip_sounds_the_same_in_any_batch(data: tuple) -> None:
    waves = [
        {clip.id: wave_S for batch in batches.epoch(3) for clip, wave_S in zip(batch.clips, batch.wave_BS, strict=True)}
        for batches in (train(data), train(data, batch_size=7))
    ]
    assert all(torch.equal(waves[0][id], waves[1][id]) for id in waves[0])


def test_partners_are_loaded_and_clips_without_one_repeat_themselves(data: tuple) -> None:
    store, clips = data
    for batch in train(data, batch_size=7, draw=next_clip(data)).epoch(1):
        assert batch.partner_BS is not None
        assert isinstance(batch.draws, Drawn)
        assert batch.draws.valid == tuple(batch.valid_B.tolist())
        assert batch.partner_target_BK is not None
        for row, (clip, partner) in enumerate(zip(batch.clips, batch.partners, strict=True)):
            if partner is None:
                assert clip.labels != (1,)
                assert torch.equal(batch.partner_BS[row], batch.wave_BS[row])
                assert torch.equal(batch.partner_target_BK[row], batch.target_BK[row])
            else:
                assert partner == clips[(clips.index(clip) + 1) % 7]
                assert batch.draws.partner_valid[row] == min(100, store.length(partner.id))
    assert all(batch.partner_BS is None for batch in train(data).epoch(0))
    assert all(batch.partner_BS is None for batch in train(data, draw=partners_by(lambda *_: None)).epoch(0))


@pytest.mark.parametrize(
    ("clips", "batch_size", "world", "expected"),
    [
        (7, 3, 1, [3, 4]),
        (7, 4, 1, [4, 3]),
        (6, 4, 1, [4, 2]),
        (6, 3, 1, [3, 3]),
        (5, 2, 1, [2, 3]),
        (1, 3, 1, [1]),
        (3, 1, 1, [1, 1, 1]),
        (7, 4, 2, [7]),
        (6, 3, 2, [3, 3]),
        (5, 3, 2, [3, 2]),
        (4, 3, 2, [4]),
    ],
)
def test_no_clip_stands_alone_in_the_last_batch(
    data: tuple, clips: int, batch_size: int, world: int, expected: list[int]
) -> None:
    """Unless whole batches give a process no more either."""
    shares = [train((data[0], data[1][:clips]), batch_size=batch_size, rank=rank, world=world) for rank in range(world)]
    assert {len(share) for share in shares} == {len(expected)}
    epochs = [[len(batch.clips) for batch in share.epoch(0)] for share in shares]
    assert [sum(step) for step in zip(*epochs, strict=True)] == expected


@given(st.integers(1, 4), st.integers(4, 9), st.integers(0, 3))
def test_processes_share_every_global_batch(world: int, batch_size: int, epoch: int) -> None:
    class Lengths:
        def length(self, clip_id: str) -> int:
            return 10

        def read_into(self, clip_id: str, out_S: np.ndarray, start: int = 0) -> int:
            out_S[:] = int(clip_id)
            return len(out_S)

    clips = [Clip(str(number), Path(), (0,)) for number in range(23)]

    def ids(rank: int, world: int) -> list[list[str]]:
        batches = TrainBatches(
            Lengths(),  # pyright: ignore[reportArgumentType]
            clips,
            1,
            clip_samples=10,
            pad="zeros",
            batch_size=batch_size,
            seed=1,
            rank=rank,
            world=world,
        )
        return [[clip.id for clip in batch.clips] for batch in batches.epoch(epoch)]

    shares = [ids(rank, world) for rank in range(world)]
    assert len({len(share) for share in shares}) == 1
    assert all(batch for share in shares for batch in share)
    heard = [id for share in shares for batch in share for id in batch]
    assert sorted(heard, key=int) == [clip.id for clip in clips]
    whole = ids(0, 1)
    for step in range(len(shares[0]) - 1):
        assert sorted(id for share in shares for id in share[step]) == sorted(whole[step])


def test_impossible_shares_are_refused(data: tuple) -> None:
    with pytest.raises(ValueError, match="cannot share"):
        train(data, batch_size=2, world=3)
    with pytest.raises(ValueError, match="cannot be shared"):
        train((data[0], data[1][:2]), world=3)


def readers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("audiosurvey-reader")]


def test_a_readers_fault_is_raised_in_order_and_threads_end(data: tuple) -> None:
    def partner(clip: Clip, _: int) -> Clip | None:
        if clip.id == data[1][0].id:
            raise RuntimeError("disk gone")
        return None

    batches = train(data, batch_size=1, num_workers=2, draw=partners_by(partner))
    order = [clip.id for batch in train(data, batch_size=1).epoch(0) for clip in batch.clips]
    epoch = batches.epoch(0)
    for _ in range(order.index(data[1][0].id)):
        next(epoch)
    with pytest.raises(RuntimeError, match="disk gone"):
        next(epoch)
    assert not readers()


def test_closing_the_iterator_ends_its_threads(data: tuple) -> None:
    epoch = train(data, num_workers=3).epoch(0)
    next(epoch)
    assert readers()
    epoch.close()
    assert not readers()


@given(st.integers(1, 2000), st.integers(1, 300))
def test_windows_cover_the_clip_evenly(length: int, window: int) -> None:
    starts = window_starts(length, window)
    assert len(starts) == -(-length // window)
    assert starts[0] == 0
    if len(starts) > 1:
        assert starts[-1] + window == length
        steps = np.diff(starts)
        assert steps.min() > 0
        assert steps.max() <= window
        assert steps.max() - steps.min() <= 1


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("reverse", [False, True])
def test_evaluation_hears_every_sample(data: tuple, num_workers: int, reverse: bool) -> None:
    store, clips = data
    batches = EvalBatches(
        store, clips, clip_samples=100, pad="zeros", batch_size=4, num_workers=num_workers, reverse=reverse
    )
    windows: list[Windows] = list(batches)
    assert len(windows) == len(batches)
    assert [len(some.rows) for some in windows] == [4, 4, 3]
    rows = np.concatenate([some.rows for some in windows])
    expected = [0, 0, 0, 1, 2, 3, 4, 4, 4, 5, 6]
    assert rows.tolist() == (expected[::-1] if reverse else expected)
    heard: dict[int, set[float]] = {row: set() for row in range(len(clips))}
    for some in windows:
        for row, wave_S, valid in zip(some.rows, some.wave_BS, some.valid_B, strict=True):
            heard[int(row)].update(wave_S[: int(valid)].tolist())
            assert not wave_S[int(valid) :].any()
    for row, clip in enumerate(clips):
        assert heard[row] == set(store.read(clip.id).tolist())


def test_pads_of_evaluation_are_those_of_training(data: tuple) -> None:
    store, clips = data
    (windows,) = EvalBatches(store, clips[2:3], clip_samples=100, pad="repeat", batch_size=4)
    assert np.array_equal(windows.wave_BS[0].numpy(), np.resize(store.read(clips[2].id), 100))
    assert windows.valid_B.tolist() == [100]


@pytest.mark.parametrize("world", [1, 2, 3])
def test_balanced_epochs_are_the_same_for_threads_and_processes(data: tuple, world: int) -> None:
    whole = [clip for batch in train(data, sampling="balanced").epoch(4) for clip in batch.clips]
    assert len(whole) == len(data[1])
    shares = [train(data, sampling="balanced", num_workers=2, rank=rank, world=world) for rank in range(world)]
    heard = [clip for share in shares for batch in share.epoch(4) for clip in batch.clips]
    assert sorted(heard, key=lambda clip: clip.drawn_by) == sorted(whole, key=lambda clip: clip.drawn_by)


def test_a_repeated_clip_is_cropped_anew(data: tuple) -> None:
    store, clips = data
    # The clip of 260 samples is the only one of its class: it fills two of the six places of an epoch.
    few = tuple(clips[row] for row in (3, 6, 0, 5, 2, 4))
    batches = train((store, few), sampling="balanced")
    starts = [
        [float(wave_S[0]) for batch in batches.epoch(epoch) for clip, wave_S in _rows(batch) if clip.id == clips[4].id]
        for epoch in range(6)
    ]
    assert all(len(crops) == 2 for crops in starts)
    assert len({crop for crops in starts for crop in crops}) > 6


def _rows(batch: Batch) -> zip:
    return zip(batch.clips, batch.wave_BS, strict=True)
