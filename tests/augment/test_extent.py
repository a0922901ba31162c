"""Where a clip sounds: a stretch of a circle, against cells that are listed one by one."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from audiosurvey.augment.extent import Extent, sounding


def cells(extent: Extent) -> set[int]:
    """Counted by hand."""
    return {(extent.first + step) % extent.size for step in range(extent.length)}


@given(st.integers(1, 30), st.data())
def test_what_sounds_is_listed(size: int, data: st.DataObject) -> None:
    extent = Extent(data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size)), size)
    by = data.draw(st.integers(-50, 50))
    assert set(sounding([extent], torch.device("cpu"))[0].nonzero()[:, 0].tolist()) == cells(extent)
    assert cells(extent.turned(by)) == {(cell + by) % size for cell in cells(extent)}
    assert all(cell < extent.end for cell in cells(extent))


def test_between_is_cut_to_the_window() -> None:
    assert Extent.between(-3, 5, 10) == Extent(0, 5, 10)
    assert Extent.between(7, 15, 10) == Extent(7, 3, 10)
    assert Extent.between(12, 15, 10).length == Extent.between(-5, 0, 10).length == 0
    assert Extent.until(12, 10) == Extent.whole(10)


def test_two_clips_are_joined_from_the_first_beginning_to_the_last_end() -> None:
    assert Extent(2, 3, 20).joined(Extent(9, 4, 20)) == Extent(2, 11, 20)
    assert Extent(2, 3, 20).joined(Extent(0, 0, 20)) == Extent(2, 3, 20)
    assert Extent(2, 3, 20).joined(Extent(18, 4, 20)).is_whole


@pytest.mark.parametrize(
    ("extent", "frames"),
    [
        (Extent.whole(16_000), Extent.whole(101)),
        # As many frames as the clip has alone, by a hop of 160: 1 + 4000 // 160.
        (Extent.until(4000, 16_000), Extent(0, 26, 101)),
        (Extent(8000, 4000, 16_000), Extent(50, 26, 101)),
        (Extent(15_000, 4000, 16_000), Extent(94, 26, 101)),
        (Extent.until(1, 16_000), Extent(0, 1, 101)),
        (Extent.until(0, 16_000), Extent(0, 1, 101)),
    ],
)
def test_frames_hold_the_sound(extent: Extent, frames: Extent) -> None:
    assert extent.in_cells(101) == frames
