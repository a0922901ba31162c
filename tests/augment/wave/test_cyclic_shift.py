"""Turning a window loses nothing and moves everything by the same time."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audiosurvey.augment.extent import Extent, sounding
from audiosurvey.augment.mixing.timemix import Timemix, TimemixConfig, TimemixDraw
from audiosurvey.augment.wave.cyclic_shift import CyclicShift, CyclicShiftConfig, CyclicShiftDraw
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


@settings(deadline=None)
@given(st.integers(-90, 90), st.integers(1, 30), st.integers(0, 30))
def test_what_follows_hears_the_clip_to_its_end(by: int, samples: int, valid: int) -> None:
    """What is told to sound is what sounds, also where the clip is parted."""
    valid = min(valid, samples)
    wave_BS = (torch.arange(samples) < valid).float()[None]
    shift = CyclicShift(CyclicShiftConfig(p=1), sample_rate=100)
    turned_S = shift.apply(wave_BS, [CyclicShiftDraw(by)], [valid])[0]
    extent = shift.extent_after(CyclicShiftDraw(by), Extent.until(valid, samples))
    assert torch.equal(sounding([extent], turned_S.device)[0], turned_S > 0)
    assert not turned_S[extent.end :].any()
    assert extent.end == (int(turned_S.nonzero().max()) + 1 if valid else extent.end) <= samples


def test_the_label_of_a_timemix_counts_what_was_turned_to_the_end() -> None:
    """A clip of 20 samples in a window of 100, turned to 60..80: the half that stays holds all of it."""
    shift = CyclicShift(CyclicShiftConfig(p=1), sample_rate=100)
    valid = shift.extent_after(CyclicShiftDraw(60), Extent.until(20, 100)).end
    own_BS, partner_BS = torch.ones(1, 100), torch.ones(1, 100)
    mix = Timemix(TimemixConfig(p=1)).mix
    _, weight_B = mix((own_BS, partner_BS), (torch.tensor([valid]), torch.tensor([100])), [TimemixDraw(0.5, "start")])
    assert weight_B.item() == 0.375  # 30 of 80: silence before the clip counts as the clip's, as at its beginning
