"""What an exported file is compared on: sounds as they come, on which the spectrum's own rounding says nothing."""

from collections.abc import Callable

import numpy as np
import torch

from audiosurvey.artefact.folder import Model
from audiosurvey.exporting.mel import MelProducts
from audiosurvey.exporting.parity import probes
from audiosurvey.features.mel import MelConfig, MelFrontEnd


def test_made_sounds_are_in_16_bits(model_of: Callable[..., Model], tiny_yaml: str):
    model = model_of(tiny_yaml)
    model.golden = None
    chirp, noise, silence = probes(model)
    for wave_S in (chirp, noise, silence):
        assert wave_S.dtype == np.float32
        assert np.array_equal(np.round(wave_S * 32768), wave_S * 32768)
    assert np.abs(chirp).max() > 0.4
    assert not silence.any()


def test_golden_clips_are_the_sounds_of_a_model_that_has_them(model_of: Callable[..., Model], tiny_yaml: str):
    model = model_of(tiny_yaml)
    assert model.golden is not None
    *golden, silence = probes(model)
    assert np.array_equal(golden, model.golden.wave_BS)
    assert not silence.any()


def test_both_spectra_agree_on_them_down_to_the_lowest_floor(model_of: Callable[..., Model], tiny_yaml: str):
    """Decibels down to -100: without the noise of 16 bits the chirp's would differ by several."""
    config = MelConfig(n_mels=64, f_min=50, compression="db")
    model = model_of(tiny_yaml)
    model.golden = None
    for wave_S in probes(model):
        long_BS = torch.from_numpy(np.resize(wave_S, (1, 16_000)))
        wanted, given = MelFrontEnd(config, 16_000)(long_BS), MelProducts(MelFrontEnd(config, 16_000))(long_BS)
        torch.testing.assert_close(given, wanted, rtol=0, atol=0.3)
