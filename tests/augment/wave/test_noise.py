"""The noise has the asked level over the clip, is white and Gaussian, and silence stays silence."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audiosurvey.augment.wave import noise as noise_module
from audiosurvey.augment.wave.noise import SLOPES, TABLE_SAMPLES, Noise, NoiseConfig, NoiseDraw, noise_table
from audiosurvey.randomness import stream


def padded_tone(samples: int, valid: int, level: float = 0.1) -> torch.Tensor:
    wave_S = level * torch.sin(torch.arange(samples) * 0.3)
    wave_S[valid:] = 0
    return wave_S[None]


@settings(deadline=None)
@given(st.floats(-20, 60), st.integers(50, 4000), st.integers(0, TABLE_SAMPLES - 1), st.sampled_from([-1, 1]))
def test_ratio_over_the_clip_before_padding(snr_db: float, valid: int, offset: int, sign: int) -> None:
    wave_BS = padded_tone(4000, valid).double()
    noisy_BS = Noise(NoiseConfig(p=1)).apply(wave_BS.float(), [NoiseDraw(snr_db, offset, sign)], [valid]).double()
    power = wave_BS[0, :valid].square().mean()
    added = (noisy_BS - wave_BS)[0, :valid].square().mean()
    # Single precision rounds the sum: at 60 dB that is heard in the third digit of the difference.
    assert abs(10 * torch.log10(power / added).item() - snr_db) < 0.1


def test_noise_fills_the_padding_too() -> None:
    noisy_BS = Noise(NoiseConfig(p=1)).apply(padded_tone(4000, 1000), [NoiseDraw(10, 5, 1)], [1000])
    inside = (noisy_BS - padded_tone(4000, 1000))[0, :1000].std()
    assert 0.85 < noisy_BS[0, 1000:].std() / inside < 1.15


def test_a_silent_clip_stays_silent() -> None:
    silent_BS = torch.zeros(2, 500)
    out_BS = Noise(NoiseConfig(p=1)).apply(silent_BS, [NoiseDraw(-20, 3, 1), NoiseDraw(5, 9, -1)], [500, 0])
    assert torch.equal(out_BS, silent_BS)


def test_a_clip_of_one_sample_does_not_deafen_the_window() -> None:
    wave_BS = torch.zeros(1, 500)
    wave_BS[0, 0] = 0.5
    for offset in range(200):
        out_BS = Noise(NoiseConfig(p=1)).apply(wave_BS, [NoiseDraw(0, offset, 1)], [1])
        assert out_BS[0, 1:].abs().max() < 0.5 * 2 * 6


def test_white_and_gaussian() -> None:
    wave_BS = torch.full((1, 200_000), 1e-3)
    noise_S = (Noise(NoiseConfig(p=1)).apply(wave_BS, [NoiseDraw(-40, 77, 1)], [200_000]) - wave_BS)[0].numpy()
    normed = noise_S / noise_S.std()
    assert abs(np.mean(normed**4) - 3) < 0.1, "a normal distribution has kurtosis 3"
    spectrum = np.abs(np.fft.rfft(noise_S)) ** 2
    bands = spectrum[1 : 1 + 100_000 - 100_000 % 8].reshape(8, -1).mean(1)
    assert bands.max() / bands.min() < 1.1, "each eighth of the band holds the same power"


@pytest.mark.parametrize("bounds", [(30, 1), (1, 30)])
def test_ratio_is_drawn_evenly_between_the_bounds_in_either_order(bounds: tuple[float, float]) -> None:
    noise = Noise(NoiseConfig(p=1, min_snr_db=bounds[0], max_snr_db=bounds[1]))
    drawn = np.array([draw.snr_db for i in range(500) if (draw := noise.draw(stream(i), 10, 10))])
    assert 1 <= drawn.min() < 2
    assert 29 < drawn.max() <= 30
    assert np.allclose(np.quantile(drawn, [0.25, 0.5, 0.75]), [8.25, 15.5, 22.75], atol=2)


def test_two_clips_get_different_noise() -> None:
    noise = Noise(NoiseConfig(p=1))
    draws = [noise.draw(stream(i), 4000, 4000) for i in range(2)]
    out_BS = noise.apply(padded_tone(4000, 4000).repeat(2, 1), draws, [4000, 4000]) - padded_tone(4000, 4000)
    assert abs(np.corrcoef(out_BS.numpy())[0, 1]) < 0.1


def test_windows_longer_than_the_table_are_filled() -> None:
    assert len(noise_table(torch.device("cpu"), TABLE_SAMPLES + 10)) >= TABLE_SAMPLES + 10
    assert len(noise_table(torch.device("cpu"), 10)) == TABLE_SAMPLES


@pytest.mark.parametrize(
    ("colour", "db_an_octave"),
    [("white", 0), ("pink", -3.01), ("brown", -6.02), ("blue", 3.01), ("violet", 6.02), ("uniform", 0)],
)
def test_the_power_of_a_colour_goes_with_frequency(colour: str, db_an_octave: float) -> None:
    table_S = noise_table(torch.device("cpu"), 10, colour).numpy()
    assert np.mean(np.square(table_S, dtype=np.float64)) == pytest.approx(1, rel=1e-2)
    frames = table_S[: 2**19].reshape(-1, 4096) * np.hanning(4096)
    power = np.square(np.abs(np.fft.rfft(frames.astype(np.float64)))).mean(0)
    octaves_db = [10 * np.log10(power[first : 2 * first].mean()) for first in (16, 32, 64, 128, 256, 512, 1024)]
    assert np.polyfit(range(7), octaves_db, 1)[0] == pytest.approx(db_an_octave, abs=0.2)
    assert np.abs(np.diff(octaves_db) - db_an_octave).max() < 0.8


@pytest.mark.parametrize("colour", list(SLOPES))
def test_a_colour_has_the_asked_ratio_too(colour: str) -> None:
    wave_BS = padded_tone(4000, 3000)
    out_BS = Noise(NoiseConfig(p=1)).apply(wave_BS, [NoiseDraw(15, 2**20, 1, colour)], [3000])
    added = (out_BS - wave_BS)[0, :3000].square().mean()
    assert 10 * torch.log10(wave_BS[0, :3000].square().mean() / added).item() == pytest.approx(15, abs=0.1)


def test_colours_of_one_batch_do_not_meet() -> None:
    draws = [NoiseDraw(3, 100 + row, 1, colour) for row, colour in enumerate([*SLOPES, *SLOPES])]
    noise, wave_BS = Noise(NoiseConfig(p=1)), padded_tone(800, 800).repeat(len(draws), 1)
    together_BS = noise.apply(wave_BS, draws, [800] * len(draws))
    for row, draw in enumerate(draws):
        torch.testing.assert_close(noise.apply(wave_BS[:1], [draw], [800])[0], together_BS[row], atol=1e-6, rtol=0)


def test_random_colours_come_alike_and_leave_the_other_numbers_as_they_are() -> None:
    white, any_colour = Noise(NoiseConfig(p=1)), Noise(NoiseConfig(p=1, colour="random"))
    found: Counter[str] = Counter()
    for i in range(500):
        one, other = white.draw(stream(i), 10, 10), any_colour.draw(stream(i), 10, 10)
        assert one is not None
        assert other is not None
        assert (one.snr_db, one.offset, one.sign) == (other.snr_db, other.offset, other.sign)
        assert one.colour == "white"
        found[other.colour] += 1
    assert set(found) == {"white", "pink", "brown", "blue", "violet"}
    assert min(found.values()) > 60


def test_a_list_of_colours_is_chosen_from_alike() -> None:
    noise = Noise(NoiseConfig(p=1, colour=["violet", "uniform"]))
    found = Counter(draw.colour for i in range(400) if (draw := noise.draw(stream(i), 10, 10)))
    assert set(found) == {"violet", "uniform"}
    assert min(found.values()) > 160


def test_uniform_noise_is_white_and_evenly_spread() -> None:
    table_S = noise_table(torch.device("cpu"), 10, "uniform")[: 2**20].double()
    assert table_S.square().mean().item() == pytest.approx(1, rel=1e-2)
    counts = torch.histc(table_S, 10, min=-(3**0.5), max=3**0.5)
    assert counts.sum() == 2**20
    assert counts.max() / counts.min() < 1.03
    # A normal distribution would have 3.
    assert table_S.pow(4).mean().item() == pytest.approx(9 / 5, rel=1e-2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_one_by_one_and_together_are_equal(dtype: torch.dtype) -> None:
    """The second is for GPUs."""
    valid = [4000, 3000, 0, 1, 2000]
    wave_BS = torch.cat([padded_tone(4000, samples) for samples in valid]).to(dtype)
    draws = [NoiseDraw(5.0 + row, 1000 * row, (-1) ** row, colour) for row, colour in enumerate(list(SLOPES)[:5])]
    together_BS = noise_module._add_together(wave_BS, draws, valid)
    one_by_one_BS = noise_module._add_one_by_one(wave_BS, draws, valid)
    assert one_by_one_BS.dtype == dtype
    rounding = 0.02 if dtype == torch.bfloat16 else 1e-6
    torch.testing.assert_close(one_by_one_BS, together_BS.to(dtype), atol=rounding, rtol=rounding)
