"""Rows of a rational speed are what interpolation gives, sample by sample, and what the sound has there."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from audiosurvey.augment.interpolation import FRACTION_BITS, interpolate, padded
from audiosurvey.augment.resampling import as_rational, read_rows
from audiosurvey.randomness import stream


@pytest.mark.parametrize("speed", [Fraction(1, 4), Fraction(4, 5), Fraction(63, 64), 1, Fraction(5, 4), 4])
@pytest.mark.parametrize("position", [0.0, 17.375])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rows_equal_interpolation(speed: Fraction, position: float, dtype: torch.dtype) -> None:
    wave_BS = torch.from_numpy(stream("wave").standard_normal((2, 5000))).to(dtype)
    out_S = torch.full((int((5000 - position) / speed),), torch.nan, dtype=dtype)
    written = read_rows(padded(wave_BS)[1], position, Fraction(speed), out_S)
    assert len(out_S) - 64 < written <= len(out_S)
    assert torch.isnan(out_S[written:]).all()
    places = np.rint((position + np.arange(written) * float(speed)) * 2**FRACTION_BITS).astype(np.int64)
    expected_S = interpolate(wave_BS[1:], torch.from_numpy(places)[None])[0]
    torch.testing.assert_close(out_S[:written], expected_S, atol=5e-6, rtol=0)


@pytest.mark.parametrize("frequency", [0.01, 0.2, 0.35])
def test_error_is_below_60_db(frequency: float) -> None:
    wave_S = torch.sin(2 * torch.pi * frequency * torch.arange(20_000, dtype=torch.float64)).float()
    out_S = torch.empty(18_000)
    written = read_rows(padded(wave_S[None])[0], 1000.3, Fraction(57, 61), out_S)
    times = 1000.3 + 57 / 61 * torch.arange(written, dtype=torch.float64)
    error = out_S[:written] - torch.sin(2 * torch.pi * frequency * times)
    assert 20 * torch.log10(error.square().mean().sqrt() * 2**0.5) < -60


def test_too_few_samples_for_a_row() -> None:
    assert read_rows(torch.zeros(100), 3.5, Fraction(9, 10), torch.empty(39)) == 0


def test_only_fractions_of_small_denominators_are_rational() -> None:
    assert as_rational(57 / 61, 10**6) == Fraction(57, 61)
    assert as_rational(1.25, 10**6) == Fraction(5, 4)
    assert as_rational(64 / 65, 10**6) is None
    assert as_rational(0.9 + 1e-11, 10**6) is None
    assert as_rational(0.9 + 1e-11, 10**4) == Fraction(9, 10)
