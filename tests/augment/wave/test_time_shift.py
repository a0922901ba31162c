"""The warp keeps the window's length, its bounds of speed, and every sound's place on the map; nothing clicks."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audiosurvey.augment.extent import Extent
from audiosurvey.augment.interpolation import FRACTION_BITS, interpolate
from audiosurvey.augment.resampling import as_rational
from audiosurvey.augment.wave.time_shift import (
    FASTEST,
    SLOWEST,
    TimeShift,
    TimeShiftConfig,
    corner_samples,
    rational_speeds,
    with_rational_speeds,
)
from audiosurvey.augment.wave.warp import TimeShiftDraw, positions_at, warp, warp_positions
from audiosurvey.randomness import stream

RATE = 16000
CPU = torch.device("cpu")


def shift() -> TimeShift:
    return TimeShift(TimeShiftConfig(p=1), sample_rate=RATE)


def drawn(seed: int, samples: int) -> TimeShiftDraw:
    draw = shift().draw(stream(seed, "time_shift"), samples, samples)
    assert draw is not None
    return draw


@settings(deadline=None)
@given(st.integers(0, 10**9), st.integers(400, 300_000))
def test_parts_keep_the_total_and_the_bounds_of_speed(seed: int, samples: int) -> None:
    draw = drawn(seed, samples)
    assert draw.before[0] == draw.after[0] == 0
    assert draw.before[-1] == draw.after[-1] == samples
    lengths, new_lengths = np.diff(draw.before), np.diff(draw.after)
    assert 2 <= len(lengths) <= 5
    assert lengths.min() > 0
    speeds = lengths / new_lengths
    assert (speeds >= SLOWEST).all()
    assert (speeds <= FASTEST).all()


def test_speeds_use_their_range() -> None:
    draws = [drawn(i, 50_000) for i in range(500)]
    speeds = np.concatenate([np.diff(d.before) / np.diff(d.after) for d in draws])
    assert speeds.min() < 0.81
    assert speeds.max() > 1.23
    assert np.mean(np.abs(speeds - 1) > 0.05) > 0.5
    assert {len(d.before) - 1 for d in draws} == {2, 3, 4, 5}


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**9), st.integers(400, 40_000))
def test_positions_are_the_map_away_from_the_corners(seed: int, samples: int) -> None:
    draw, corner = drawn(seed, samples), corner_samples(RATE, samples)
    position_S = warp_positions([draw], samples, corner, CPU)[0].double().numpy() / 2**FRACTION_BITS
    expected = np.interp(np.arange(samples), draw.after, draw.before)
    near = np.zeros(samples, bool)
    for end in map(round, draw.after[1:-1]):
        near[max(0, end - corner) : end + corner + 1] = True
    assert np.abs(position_S - expected)[~near].max() < 0.01
    # Around a corner the map is cut by at most a quarter of the corner times the change of speed.
    assert np.abs(position_S - expected).max() <= (FASTEST - SLOWEST) * corner / 4 + 0.01
    speed = np.diff(position_S)
    assert speed.min() >= SLOWEST - 1e-6
    assert speed.max() <= FASTEST + 1e-6


def test_a_click_moves_where_the_map_says() -> None:
    samples, draw = 32_000, TimeShiftDraw((0, 12_000, 32_000), (0, 14_000, 32_000))
    wave_BS = torch.zeros(1, samples)
    wave_BS[0, [3000, 20_000]] = 1
    out_S = shift().apply(wave_BS, [draw], [samples])[0]
    assert out_S.shape == (samples,)
    assert int(out_S[:14_000].abs().argmax()) == 3500
    assert abs(int(out_S[14_000:].abs().argmax()) + 14_000 - (14_000 + 8000 * 18 / 20)) <= 1


def test_a_tone_changes_its_pitch_by_the_speed() -> None:
    samples, draw = 32_000, TimeShiftDraw((0, 17_600, 32_000), (0, 16_000, 32_000))
    wave_BS = torch.sin(2 * torch.pi * 1000 / RATE * torch.arange(samples))[None]
    out_S = shift().apply(wave_BS, [draw], [samples])[0].numpy()
    for part, speed in ((out_S[1000:15_000], 1.1), (out_S[17_000:31_000], 0.9)):
        spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part))))
        assert spectrum.argmax() * RATE / len(part) == pytest.approx(1000 * speed, abs=1.5)


def test_no_energy_bursts_where_the_parts_meet() -> None:
    samples = 48_000
    wave_BS = torch.sin(2 * torch.pi * 440 / RATE * torch.arange(samples))[None]
    for seed in range(6):
        out_S = shift().apply(wave_BS, [drawn(seed, samples)], [samples])[0].numpy()[100:-100]
        frames = np.lib.stride_tricks.sliding_window_view(out_S, 512)[::128] * np.blackman(512)
        power = np.abs(np.fft.rfft(frames)) ** 2
        # The tone stays below 440 * 1.25 Hz; a click would fill everything above it for a moment.
        above = power[:, 1500 * 512 // RATE :].sum(1) / power.sum(1).mean()
        assert 10 * np.log10(above.max()) < -60


def test_the_last_sound_of_a_padded_clip_is_found_again() -> None:
    draw = TimeShiftDraw((0, 10_000, 20_000), (0, 9000, 20_000))
    for valid, after in [(20_000, 20_000), (10_000, 9000), (5000, 4500)]:
        assert shift().extent_after(draw, Extent.until(valid, 20_000)) == Extent.until(after, 20_000)
    assert shift().extent_after(draw, Extent(5000, 5000, 20_000)) == Extent(4500, 4500, 20_000)
    # From 15,000 round the end to 5000.
    assert shift().extent_after(draw, Extent(15_000, 10_000, 20_000)) == Extent(14_500, 10_000, 20_000)


def test_clips_are_warped_each_by_its_own_map() -> None:
    samples = 70_000
    wave_BS = torch.from_numpy(stream("wave").standard_normal((9, samples), dtype=np.float32))
    draws = [drawn(i, samples) for i in range(9)]
    together_BS = shift().apply(wave_BS, draws, [samples] * 9)
    for row in (0, 4, 8):
        alone_BS = shift().apply(wave_BS[[row]], [draws[row]], [samples])
        torch.testing.assert_close(together_BS[row], alone_BS[0], atol=1e-5, rtol=0)


def test_a_window_too_short_for_parts_is_left_as_it_is() -> None:
    wave_BS = torch.rand(1, 50)
    draw = drawn(1, 50)
    torch.testing.assert_close(shift().apply(wave_BS, [draw], [50]), wave_BS)


def test_silence_stays_silence() -> None:
    assert torch.equal(shift().apply(torch.zeros(1, 8000), [drawn(3, 8000)], [8000]), torch.zeros(1, 8000))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**9), st.integers(400, 60_000))
def test_matrix_products_equal_interpolation_at_the_same_positions(seed: int, samples: int) -> None:
    draw, corner = drawn(seed, samples), corner_samples(RATE, samples)
    wave_BS = torch.from_numpy(stream("wave").standard_normal((1, samples), dtype=np.float32))
    positions_BS = warp_positions([draw], samples, corner, CPU)
    difference = warp(wave_BS, [draw], corner) - interpolate(wave_BS, positions_BS)
    # A position between two of the 2048 phases may be rounded to either; their kernels differ by about 1/1000.
    assert difference.abs().max() < 0.01
    assert difference.square().mean().sqrt() < 1e-4


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**9), st.integers(400, 300_000))
def test_positions_in_closed_form(seed: int, samples: int) -> None:
    draw, corner = drawn(seed, samples), corner_samples(RATE, samples)
    expected_S = warp_positions([draw], samples, corner, CPU)[0].double().numpy() / 2**FRACTION_BITS
    np.testing.assert_allclose(positions_at(draw, np.arange(samples), corner), expected_S, atol=1e-5)


def test_nearly_all_speeds_are_fractions_of_small_denominators_and_near_those_that_were_drawn() -> None:
    draws = [drawn(i, 50_000) for i in range(400)]
    rational = [
        all(as_rational(length / new, 50_000) for length, new in zip(np.diff(d.before), np.diff(d.after), strict=True))
        for d in draws
    ]
    assert np.mean(rational) > 0.97
    known = rational_speeds()
    assert 1 not in known
    assert np.diff(known).max() == 2 / 64
    lengths, new_lengths = with_rational_speeds(np.array([30_000.0, 20_000.0]), np.array([25_000.0, 25_000.0]))
    np.testing.assert_allclose(lengths / new_lengths, [1.2, 0.8032786], atol=1e-6)
    assert lengths.sum() == pytest.approx(50_000)
    assert new_lengths.sum() == pytest.approx(50_000)


def test_speeds_that_cannot_be_rounded_stay() -> None:
    # Both parts are nearest to 63/64, which keeps no total.
    lengths, new_lengths = np.array([30_000.0, 20_000.0]), np.array([30_100.0, 20_100.0])
    assert with_rational_speeds(lengths, new_lengths)[0] is lengths
