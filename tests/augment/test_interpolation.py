"""What is read between the samples is what the sound has there."""

import numpy as np
import pytest
import torch

from audiosurvey.augment.interpolation import FRACTION_BITS, interpolate
from audiosurvey.randomness import stream


@pytest.mark.parametrize("frequency", [0.01, 0.1, 0.2, 0.3, 0.35])
def test_interpolation_error_is_below_60_db(frequency: float) -> None:
    samples = 20_000
    position_S = 0.9 * torch.arange(samples, dtype=torch.float64) + 1000.3
    wave_S = torch.sin(2 * torch.pi * frequency * torch.arange(samples, dtype=torch.float64))
    out_S = interpolate(wave_S.float()[None], (position_S * 2**FRACTION_BITS).round().long()[None])[0]
    error = out_S.double() - torch.sin(2 * torch.pi * frequency * position_S)
    assert 20 * torch.log10(error.square().mean().sqrt() * 2**0.5) < -60


def test_whole_positions_give_the_samples_themselves() -> None:
    wave_BS = torch.from_numpy(stream("wave").standard_normal((2, 300), dtype=np.float32))
    positions_BS = (torch.arange(300) << FRACTION_BITS).repeat(2, 1)
    torch.testing.assert_close(interpolate(wave_BS, positions_BS), wave_BS, atol=1e-6, rtol=0)
