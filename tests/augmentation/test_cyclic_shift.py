"""Turning a window loses nothing and moves everything by the same time."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audiosurvey.augmentation.cyclic_shift import CyclicShift, CyclicShiftConfig, CyclicShiftDraw
from audiosurvey.randomness import stream


@settings(deadline=None)
@given(st.lists(st.integers(-300, 300), min_size=1, max_size=5), st.integers(1, 40))
def test_equals_a_roll(shifts: list[int], samples: int) -> None:
    wave_BS = torch.arange(len(shifts) * samples, dtype=torch.float32).reshape(len(shifts), samples)
    shift = CyclicShift(CyclicShiftConfig(p=1), sample_rate=100)
    out_BS = shift.apply(wave_BS, [CyclicShiftDraw(s) for s in shifts], [samples] * len(shifts))
    expected = torch.stack([torch.roll(wave, s) for wave, s in zip(wave_BS, shifts, strict=True)])
    assert torch.equal(out_BS, expected)


def test_bound_is_in_seconds_to_both_sides() -> None:
    shift = CyclicShift(CyclicShiftConfig(p=1, max_s=0.1), sample_rate=100)
    drawn = {draw.shift_samples for i in range(500) if (draw := shift.draw(stream(i), 1000, 1000))}
    assert drawn == set(range(-10, 11))


def test_without_a_bound_every_place_is_reached() -> None:
    shift = CyclicShift(CyclicShiftConfig(p=1), sample_rate=100)
    drawn = {draw.shift_samples for i in range(300) if (draw := shift.draw(stream(i), 20, 20))}
    assert drawn == set(range(20))
