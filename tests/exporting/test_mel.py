"""The exported front end: matrix products that give what the Fourier transform gives."""

import numpy as np
import pytest
import torch

from audiosurvey.exporting.mel import MelProducts, factors
from audiosurvey.features.mel import MelConfig, MelFrontEnd

RATE = 16_000


def both(config: MelConfig, wave_BS: torch.Tensor, rate: int = RATE) -> tuple[torch.Tensor, torch.Tensor]:
    return MelFrontEnd(config, rate)(wave_BS), MelProducts(MelFrontEnd(config, rate))(wave_BS)


@pytest.fixture(scope="module")
def wave_BS() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (2, 9000))).float()


@pytest.mark.parametrize(
    "config",
    [
        MelConfig(compression="ln"),
        MelConfig(win_length=0.025, n_fft=512, center=False, compression="ln"),
        # 441 samples: odd, and not a multiple of the hop.
        MelConfig(win_length=441 / RATE, hop_length=0.01, compression="ln"),
        # A prime has no two factors.
        MelConfig(win_length=127 / RATE, hop_length=0.004, compression="ln", n_mels=8),
        # A step longer than the window leaves samples out.
        MelConfig(win_length=0.016, hop_length=0.025, compression="ln"),
        MelConfig(preemphasis=0.97, pad=100, pad_mode="constant", compression="ln", window_fn="hamming"),
        MelConfig(power=1, normalized=True, compression="log10p1"),
        MelConfig(compression="db", floor_db=-70, shift=30, divide=10),
        MelConfig(compression="db", power=1, floor_db=-70),
        MelConfig(compression="db", power=3, floor_db=-40),
        MelConfig(compression="db", top_db=30, shift=30, divide=10),
        MelConfig(mel_scale="kaldi", f_min=20, f_max=7000, compression="ln"),
    ],
)
def test_same_spectrogram_as_the_transform(config: MelConfig, wave_BS: torch.Tensor):
    wanted, given = both(config, wave_BS)
    assert given.shape == wanted.shape
    torch.testing.assert_close(given, wanted, atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("samples", [512, 513, 671, 672, 673, 4801])
def test_any_length_has_the_same_frames(samples: int, wave_BS: torch.Tensor):
    wanted, given = both(MelConfig(center=False, compression="ln"), wave_BS[:, :samples])
    assert given.shape == wanted.shape
    torch.testing.assert_close(given, wanted, atol=2e-4, rtol=1e-4)


def test_a_tone_is_loudest_in_the_band_that_holds_it():
    hertz = 1000.0
    tone_S = torch.sin(2 * torch.pi * hertz * torch.arange(RATE) / RATE)
    _, mel = both(MelConfig(compression="ln", n_mels=32), tone_S[None])
    # HTK's mel of 1000 Hz, in steps of a band from 0 to 8000 Hz; a band's peak is one step above its lower edge.
    at = np.log10(1 + hertz / 700) / np.log10(1 + 8000 / 700) * 33 - 1
    assert int(mel[0, 0, 50].argmax()) == round(at)


def test_decibels_are_of_the_wave_whatever_the_power(wave_BS: torch.Tensor):
    for power in (1, 2, 3):
        front_end = MelProducts(MelFrontEnd(MelConfig(compression="db", power=power), RATE))
        louder = front_end(10 * wave_BS) - front_end(wave_BS)
        torch.testing.assert_close(louder, torch.full_like(louder, 20.0), rtol=0, atol=1e-2)


@pytest.mark.parametrize("power", [1, 2])
def test_silence_is_silence(power: int):
    front_end = MelFrontEnd(MelConfig(compression="db", floor_db=-70, power=power), RATE)
    _, mel = both(front_end.config, torch.zeros(1, 4000))
    assert torch.equal(mel, torch.full_like(mel, front_end.silence))


@pytest.mark.parametrize(("n_fft", "rows"), [(512, 16), (127, 127)])
def test_factors_multiply_to_the_length(n_fft: int, rows: int):
    first, second = factors(n_fft)
    assert first * second == n_fft
    assert first in (rows, n_fft // rows, 32, 1)


@pytest.mark.parametrize("n_fft", [2, 6, 127, 400, 441, 512, 1024])
def test_the_bank_of_both_steps_holds_every_filter_once(n_fft: int):
    config = MelConfig(win_length=n_fft / RATE, n_mels=4)
    bank = MelFrontEnd(config, RATE).bank.clone()
    ordered = MelProducts(MelFrontEnd(config, RATE)).bank
    torch.testing.assert_close(ordered.sum(dim=0), bank.sum(dim=0))
