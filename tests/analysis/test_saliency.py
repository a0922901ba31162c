"""Saliency: closed forms for linear networks, conservation, and sounds that are masked where they should be."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from audiosurvey.analysis.saliency import KEPT, masked_sound, relevance_mask, saliency
from audiosurvey.artefact.folder import Model
from audiosurvey.features.mel import MelConfig, MelFrontEnd

RATE = 16_000
SLOW = ("mn04", "eat-s", "wavegram-logmel-cnn14")
NONE = (1e-6, 1e-6)
"""No smoothing."""


class Linear(nn.Module):
    """Logits that are linear in all numbers of the input."""

    def __init__(self, weight_KN: torch.Tensor) -> None:
        super().__init__()
        self.weight_KN = weight_KN
        self.hears = ("mel",)

    def forward(self, heard: torch.Tensor) -> torch.Tensor:
        return heard.flatten(1) @ self.weight_KN.T


def tone(hz: float, seconds: float = 1.0) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def level(wave_S: np.ndarray, hz: float) -> float:
    """Amplitude of a frequency in the middle of a wave."""
    middle_S = wave_S[len(wave_S) // 4 : -len(wave_S) // 4]
    turns = np.exp(-2j * np.pi * hz * np.arange(len(middle_S)) / RATE)
    return float(2 * np.abs((middle_S * turns).mean()))


def test_relevance_of_a_linear_network_is_weight_times_distance_from_silence(model_of: Callable[..., Model]):
    model = model_of("tiny")
    wave_S = np.random.default_rng(0).normal(0, 0.1, model.clip_samples).astype(np.float32)
    mel_BCTF = model.front_end(torch.from_numpy(wave_S)[None])
    weight_KN = torch.from_numpy(np.random.default_rng(1).normal(size=(5, mel_BCTF.numel())).astype(np.float32))
    model.network = Linear(weight_KN)
    found = saliency(model, wave_S, label=3)
    expected_TF = weight_KN[3].view(mel_BCTF.shape[2:]) * (mel_BCTF[0, 0] - found.front_end.silence)
    np.testing.assert_allclose(found.relevance_TF, expected_TF, rtol=1e-4)
    np.testing.assert_allclose(found.mel_TF, mel_BCTF[0, 0])
    # The logit is that of silence plus the relevance of all cells.
    silent = float(weight_KN[3].sum()) * found.front_end.silence
    logit = model.network(mel_BCTF)[0, 3]
    assert found.relevance_TF.sum(dtype=np.float64) == pytest.approx(float(logit - silent), rel=1e-3)


def test_relevance_of_a_network_on_waves_adds_up_to_a_linear_logit(model_of: Callable[..., Model]):
    model = model_of("eat-s", "dataset.clip_seconds=0.5")
    # Between the lowest and the highest band: bins beyond them belong to none.
    turns_S = np.arange(model.clip_samples) / model.sample_rate
    wave_S = np.sin(2 * np.pi * 700 * turns_S + 1) + np.sin(2 * np.pi * 3000 * turns_S).astype(np.float32)
    wave_S = (wave_S * np.hanning(len(wave_S))).astype(np.float32)
    weight_KN = torch.from_numpy(np.random.default_rng(1).normal(size=(5, len(wave_S))).astype(np.float32))
    model.network = Linear(weight_KN)
    model.network.hears = ("wave",)
    found = saliency(model, wave_S, label=2)
    logit = float(weight_KN[2] @ torch.from_numpy(wave_S))
    assert found.relevance_TF.shape == found.mel_TF.shape == found.mask_TF.shape
    assert found.relevance_TF.sum(dtype=np.float64) == pytest.approx(logit, rel=0.01)


@pytest.mark.parametrize(
    "preset", ["tiny", "erann-0-1", *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]
)
def test_every_kind_of_network_has_a_saliency(preset: str, model_of: Callable[..., Model]):
    model = model_of(preset, "dataset.clip_seconds=1.0")
    wave_S = np.random.default_rng(0).normal(0, 0.1, model.clip_samples).astype(np.float32)
    found = saliency(model, wave_S, label=1)
    assert np.isfinite(found.relevance_TF).all()
    assert np.abs(found.relevance_TF).max() > 0
    assert found.mask_TF.shape == found.mel_TF.shape
    assert 0 <= found.mask_TF.min() <= found.mask_TF.max() <= 1
    assert np.isfinite(masked_sound(wave_S, found.mask_TF, found.front_end)).all()


@given(st.integers(0, 1000))
def test_unmasked_cells_hold_the_kept_share(seed: int):
    relevance_TF = np.random.default_rng(seed).normal(size=(20, 8))
    mask_TF = relevance_mask(relevance_TF, NONE)
    positive_TF = np.maximum(relevance_TF, 0)
    whole_TF = mask_TF >= 1
    held = positive_TF[whole_TF].sum() / positive_TF.sum()
    assert KEPT - 1e-6 <= held <= KEPT + positive_TF.max() / positive_TF.sum() + 1e-6
    assert (mask_TF[relevance_TF <= 0] == 0).all()
    # In proportion to the relevance elsewhere.
    least = positive_TF[whole_TF].min()
    np.testing.assert_allclose(mask_TF[~whole_TF], positive_TF[~whole_TF] / least, rtol=1e-4, atol=1e-6)


def test_nothing_relevant_masks_everything():
    assert relevance_mask(-np.ones((4, 3)), NONE).max() == 0


@pytest.mark.parametrize("config", [MelConfig(), MelConfig(center=False, n_mels=32), MelConfig(hop_length=0.02)])
def test_a_mask_of_ones_leaves_the_sound_as_it_is(config: MelConfig):
    front_end = MelFrontEnd(config, RATE)
    wave_S = tone(440) + tone(3000)
    mask_TF = np.ones((front_end.num_frames(len(wave_S)), front_end.num_bands), np.float32)
    found_S = masked_sound(wave_S, mask_TF, front_end)
    assert len(found_S) == len(wave_S)
    # 0 Hz belongs to no band, which shows at the sudden beginning and end.
    np.testing.assert_allclose(found_S, wave_S, atol=0.01)
    np.testing.assert_allclose(found_S[1000:-1000], wave_S[1000:-1000], atol=1e-3)


def test_a_mask_of_bands_keeps_their_frequencies_alone():
    front_end = MelFrontEnd(MelConfig(), RATE)
    wave_S = tone(500) + tone(4000)
    mask_TF = np.zeros((front_end.num_frames(len(wave_S)), front_end.num_bands), np.float32)
    mask_TF[:, :32] = 1  # up to about 2 kHz
    found_S = masked_sound(wave_S, mask_TF, front_end)
    assert level(found_S, 500) == pytest.approx(0.3, rel=0.02)
    assert level(found_S, 4000) < 0.003


@pytest.mark.parametrize("center", [True, False])
def test_a_mask_of_frames_keeps_their_times_alone(center: bool):
    front_end = MelFrontEnd(MelConfig(center=center), RATE)
    wave_S = tone(1000, 2.0)
    mask_TF = np.zeros((front_end.num_frames(len(wave_S)), front_end.num_bands), np.float32)
    mask_TF[: len(mask_TF) // 2] = 1
    found_S = masked_sound(wave_S, mask_TF, front_end)
    power_S = np.convolve(found_S**2, np.ones(800) / 800, "same") / (0.3**2 / 2)
    assert power_S[round(0.5 * RATE)] == pytest.approx(1, rel=0.05)
    assert power_S[round(1.5 * RATE)] < 1e-3
    # Half of the amplitude where the mask ends.
    assert power_S[RATE] == pytest.approx(0.25, abs=0.1)
