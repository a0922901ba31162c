"""Front ends of earlier versions, in the settings of today."""

import pytest
import torch

from audiosurvey.features.earlier import earlier_mel, is_earlier
from audiosurvey.features.mel import MelConfig, MelFrontEnd

RATE = 16_000


def of_earlier_versions(wave_BS: torch.Tensor, config: MelConfig) -> torch.Tensor:
    """10 log10 of a band at every power, written out."""
    plain = config.model_copy(update={"compression": "log10p1", "shift": 0.0, "divide": 1.0})
    band_BCTF = 10 ** MelFrontEnd(plain, RATE).double()(wave_BS.double()) - 1
    return (10 * torch.log10(band_BCTF.clamp(min=10 ** (config.floor_db / 10))) + config.shift) / config.divide


@pytest.mark.parametrize("power", [1.0, 1.5, 2.0, 3.0])
@pytest.mark.parametrize("scale", [{}, {"floor_db": -30.0, "shift": 4.0, "divide": 5.0}])
def test_the_values_are_those_that_the_network_was_trained_on(power: float, scale: dict[str, float]) -> None:
    wave_BS = torch.randn(2, 4000, generator=torch.Generator().manual_seed(1)) * torch.logspace(-3, 0, 4000)
    section = {"n_mels": 16, "compression": "db", "power": power, **scale}
    today = MelFrontEnd(MelConfig.model_validate(earlier_mel(section)), RATE).double()(wave_BS.double())
    torch.testing.assert_close(today, of_earlier_versions(wave_BS, MelConfig.model_validate(section)))


@pytest.mark.parametrize(
    "section", [{"compression": "ln", "power": 1.0}, {"power": 1.0}, {"compression": "db"}, {"power": "two"}]
)
def test_other_front_ends_stay_as_they_are(section: dict[str, object]) -> None:
    assert earlier_mel(section) == section


def test_which_configs_are_earlier() -> None:
    assert is_earlier({"augmentation": {"noise": {"p": 0.5}}})
    assert not is_earlier({"augmentation": {"shorten": {"p": 0.3}}})
    assert not is_earlier({})
