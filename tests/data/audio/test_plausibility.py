"""Samples that no recording holds."""

import numpy as np
import pytest

from audiosurvey.data.audio.plausibility import MAX_MAGNITUDE, implausible
from audiosurvey.features.mel import MelConfig, MelFrontEnd


@pytest.mark.parametrize(
    ("worst", "said"),
    [
        (np.nan, "not numbers"),
        (np.inf, "not numbers"),
        (-np.inf, "not numbers"),
        (1e29, "up to 1e+29"),
        (-3e38, "up to 3e+38"),
        (1.01e10, "up to 1.01e+10"),
    ],
)
def test_one_such_sample_is_enough(worst: float, said: str) -> None:
    x_SC = np.zeros((1000, 2), np.float32)
    x_SC[700, 1] = worst
    assert said in (implausible(x_SC) or "")


def test_integers_written_as_floats_are_sound() -> None:
    assert implausible(np.array([-(2.0**31), 2.0**31], np.float32)) is None
    assert implausible(np.zeros((0, 2), np.float32)) is None


@pytest.mark.parametrize("compression", ["db", "log10p1"])
def test_the_largest_samples_that_pass_leave_the_features_finite(compression: str) -> None:
    import torch

    config = MelConfig.model_validate({"win_length": 0.5, "hop_length": 0.25, "n_mels": 8, "compression": compression})
    wave_BS = torch.full((1, 32_000), MAX_MAGNITUDE) * torch.sign(torch.randn(32_000, generator=torch.Generator()))
    assert torch.isfinite(MelFrontEnd(config, 32_000)(wave_BS)).all()
