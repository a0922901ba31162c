"""A tone below the cut-off passes, one above it vanishes, and the window keeps its length."""

import numpy as np
import pytest
import soxr
import torch
from pydantic import ValidationError

from audiosurvey.augment.wave.low_pass import LowPass, LowPassConfig, LowPassDraw
from audiosurvey.randomness import stream

RATE = 16_000


def tone(hz: float, seconds: float = 0.5) -> torch.Tensor:
    return torch.sin(2 * torch.pi * hz * torch.arange(round(seconds * RATE)) / RATE)[None]


def filtered(wave_BS: torch.Tensor, cutoff_hz: float) -> torch.Tensor:
    operation = LowPass(LowPassConfig(p=1), sample_rate=RATE)
    return operation.apply(wave_BS, [LowPassDraw(cutoff_hz)] * len(wave_BS), [wave_BS.shape[1]] * len(wave_BS))


def test_a_tone_below_the_cut_off_passes() -> None:
    # A tone that stops at the window's end has a click there, whose high frequencies go.
    torch.testing.assert_close(filtered(tone(1500), 2000)[:, 800:-800], tone(1500)[:, 800:-800], atol=2e-3, rtol=0)


def test_a_tone_above_the_cut_off_vanishes() -> None:
    assert filtered(tone(2100), 2000)[:, 800:-800].abs().max() < 2e-3


def test_a_cut_off_beyond_the_spectrum_changes_nothing() -> None:
    noise_BS = torch.from_numpy(stream("low pass").standard_normal((1, 4001), dtype=np.float32))
    torch.testing.assert_close(filtered(noise_BS, 8000), noise_BS, atol=1e-5, rtol=0)


def test_it_is_what_a_lower_sample_rate_leaves() -> None:
    noise_S = stream("low pass").standard_normal(RATE).astype(np.float32)
    resampled_S = soxr.resample(soxr.resample(noise_S, RATE, 8000, quality="VHQ"), 8000, RATE, quality="VHQ")
    left_S = filtered(torch.from_numpy(noise_S)[None], 4000)[0].numpy()
    middle = slice(1000, -1000)
    difference = np.mean((left_S[middle] - resampled_S[middle]) ** 2) / np.mean(resampled_S[middle] ** 2)
    assert 10 * np.log10(difference) < -11, "they differ in the edge alone: a tenth of the band"


@pytest.mark.parametrize("bounds", [(500, 8000), (8000, 500)])
def test_each_octave_is_equally_likely(bounds: tuple[float, float]) -> None:
    operation = LowPass(LowPassConfig(p=1, min_hz=bounds[0], max_hz=bounds[1]), sample_rate=RATE)
    drawn = np.array([draw.cutoff_hz for i in range(1000) if (draw := operation.draw(stream(i), 10, 10))])
    assert drawn.min() >= 500
    assert drawn.max() <= 8000
    assert np.mean(drawn < 2000) == pytest.approx(0.5, abs=0.05)


def test_a_cut_off_below_hearing_is_refused() -> None:
    with pytest.raises(ValidationError, match="greater than or equal to 20"):
        LowPassConfig(min_hz=2)
