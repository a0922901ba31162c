"""Mel filters against librosa's, for both scales and both norms."""

import librosa
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from audiosurvey.features.filters import empty_filters, hz_to_mel, mel_filters, mel_to_hz


@pytest.mark.parametrize("scale", ["htk", "slaney"])
@pytest.mark.parametrize("norm", [None, "slaney"])
@pytest.mark.parametrize(
    ("rate", "n_fft", "n_mels", "f_min", "f_max"), [(32_000, 1024, 64, 50, 14_000), (16_000, 512, 40, 0, 8_000)]
)
def test_equal_to_librosa(scale, norm, rate, n_fft, n_mels, f_min, f_max):
    limits_hz = torch.tensor([[f_min, f_max]], dtype=torch.float64)
    (ours,) = mel_filters(limits_hz, n_fft=n_fft, sample_rate=rate, n_mels=n_mels, norm=norm, mel_scale=scale)
    theirs = librosa.filters.mel(
        sr=rate, n_fft=n_fft, n_mels=n_mels, fmin=f_min, fmax=f_max, htk=scale == "htk", norm=norm, dtype=np.float64
    )
    np.testing.assert_allclose(ours.numpy(), theirs.T, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("scale", ["htk", "slaney"])
@given(hz=st.floats(1, 100_000))
def test_scale_is_inverted(scale, hz):
    mel = hz_to_mel(torch.tensor([hz], dtype=torch.float64), scale)
    assert float(mel_to_hz(mel, scale)) == pytest.approx(hz, rel=1e-9)


def test_slaney_by_hand():
    # 1000 Hz is mel 15; 6400 Hz is 27 mels above it.
    mels = hz_to_mel(torch.tensor([500.0, 1000.0, 6400.0], dtype=torch.float64), "slaney")
    assert mels.tolist() == pytest.approx([7.5, 15.0, 42.0])


def test_filter_above_the_spectrum_is_empty():
    """The original's config: f_max 16 kHz at a rate of 30 kHz leaves the highest filter without a bin."""
    limits_hz = torch.tensor([[30, 16_000]], dtype=torch.float64)
    (bank,) = mel_filters(limits_hz, n_fft=930, sample_rate=30_000, n_mels=128, norm=None, mel_scale="htk")
    assert 127 in empty_filters(bank)
    assert len(empty_filters(bank)) < 10
