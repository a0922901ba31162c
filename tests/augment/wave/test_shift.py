"""A shift is a delay: whole samples move, a fraction turns each frequency's phase, silence enters."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audiosurvey.augment.extent import Extent
from audiosurvey.augment.wave.shift import Shift, ShiftConfig, ShiftDraw, delayed_by_fractions
from audiosurvey.randomness import stream

RATE = 16_000


def shift(**keys: float) -> Shift:
    return Shift(ShiftConfig.model_validate({"p": 1, **keys}), sample_rate=RATE)


@settings(deadline=None)
@given(st.lists(st.integers(-60, 60), min_size=1, max_size=4), st.integers(1, 40))
def test_whole_samples_move_and_silence_enters(shifts: list[int], samples: int) -> None:
    shifts = [max(-samples, min(samples, by)) for by in shifts]
    wave_BS = 1 + torch.rand(len(shifts), samples, generator=torch.Generator().manual_seed(0))
    out_BS = shift().apply(wave_BS, [ShiftDraw(float(by)) for by in shifts], [samples] * len(shifts))
    for wave_S, out_S, by in zip(wave_BS, out_BS, shifts, strict=True):
        for place in range(samples):
            there = place - by
            expected = wave_S[there].item() if 0 <= there < samples else 0.0
            assert out_S[place].item() == pytest.approx(expected, abs=1e-5)
            assert 0 <= there < samples or out_S[place] == 0


@pytest.mark.parametrize("hertz", [100, 1234, 5000, 7600])
@pytest.mark.parametrize("by", [0.5, -0.25, 3.4, -17.8])
def test_a_tone_is_delayed_by_its_phase(hertz: float, by: float) -> None:
    time_S = torch.arange(8000, dtype=torch.float64)
    tone_BS = torch.sin(2 * torch.pi * hertz / RATE * time_S).float()[None]
    out_S = shift().apply(tone_BS, [ShiftDraw(by)], [8000])[0].double()
    expected_S = torch.sin(2 * torch.pi * hertz / RATE * (time_S - by))
    # Near its ends a cut tone is no tone.
    assert (out_S - expected_S)[2000:6000].abs().max() < 2e-3
    angle = torch.atan2(
        (out_S * torch.cos(2 * torch.pi * hertz / RATE * time_S))[2000:6000].sum(),
        (out_S * torch.sin(2 * torch.pi * hertz / RATE * time_S))[2000:6000].sum(),
    )
    turned = torch.remainder(angle + 2 * torch.pi * hertz * by / RATE + torch.pi, 2 * torch.pi) - torch.pi
    assert abs(turned.item()) < 0.01


def test_a_fraction_of_nothing_changes_nothing_and_half_a_sample_twice_is_one() -> None:
    wave_BS = torch.zeros(1, 400)
    wave_BS[0, 150:250] = torch.hann_window(100)
    torch.testing.assert_close(delayed_by_fractions(wave_BS, [0.0]), wave_BS, atol=1e-6, rtol=0)
    twice_BS = delayed_by_fractions(delayed_by_fractions(wave_BS, [0.5]), [0.5])
    torch.testing.assert_close(twice_BS, wave_BS.roll(1), atol=1e-4, rtol=0)


def test_drawn_evenly_to_both_sides_with_fractions() -> None:
    drawn = [draw.shift_samples for i in range(500) if (draw := shift(max_s=0.01).draw(stream(i), 5000, 5000))]
    assert -160 <= min(drawn) < -155
    assert 155 < max(drawn) <= 160
    assert abs(sum(drawn) / 500) < 12
    assert sum(by != round(by) for by in drawn) > 490
    short = [draw.shift_samples for i in range(100) if (draw := shift(max_s=0.01).draw(stream(i), 20, 20))]
    assert max(map(abs, short)) <= 20


@pytest.mark.parametrize(("by", "first", "end"), [(3.4, 3, 53), (-10.0, 0, 40), (-70.0, 0, 0), (60.0, 60, 100)])
def test_the_sound_moves_along(by: float, first: int, end: int) -> None:
    extent = shift().extent_after(ShiftDraw(by), Extent.until(50, 100))
    assert (extent.first, extent.end) == (first, end)
