"""The front end of the mn family against worked numbers: Kaldi's bank, pre-emphasis, natural logarithm, moved bands."""

import math

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from audiosurvey.augment.band.band_jitter import BandJitter, BandJitterConfig, BandJitterDraw
from audiosurvey.augment.band.operation import spectrogram
from audiosurvey.config.presets import preset_document
from audiosurvey.features.filters import empty_filters
from audiosurvey.features.mel import MelConfig, MelFrontEnd

RATE = 32_000
CONFIG = MelConfig.model_validate(preset_document("mn04").data["mel_spectrogram"])
SECOND = np.arange(RATE)


def sine() -> torch.Tensor:
    """440 Hz at half scale, 1 s."""
    return torch.from_numpy(0.5 * np.sin(2 * np.pi * 440 * SECOND / RATE)).float()[None]


def sweep(samples: int) -> torch.Tensor:
    """A tone that rises and folds over again and again."""
    return torch.from_numpy(0.1 * np.sin((0.001 * np.arange(samples) ** 2) % (2 * np.pi))).float()[None]


def white(samples: int) -> torch.Tensor:
    """Noise of a linear congruential generator."""
    state, values = 0, np.empty(samples)
    for index in range(samples):
        state = (1664525 * state + 1013904223) % 2**32
        values[index] = 0.1 * (state / 2**31 - 1)
    return torch.from_numpy(values).float()[None]


def test_the_window_is_symmetric_and_stands_in_the_middle():
    window = MelFrontEnd(CONFIG, RATE).window
    assert window.shape == (1024,)
    assert torch.all(window[:113] == 0)
    assert torch.all(window[911:] == 0)
    assert float(window[113]) == pytest.approx(math.sin(math.pi / 799) ** 2, rel=1e-6)
    assert float(window[511]) == float(window[512]) == pytest.approx(0.9999961, abs=1e-7)
    assert float(window.double().sum()) == pytest.approx(399.5, abs=1e-4)
    assert float(window.double().square().sum()) == pytest.approx(299.625, abs=1e-4)


def test_the_bank():
    bank = CONFIG.filters(RATE)
    assert bank.shape == (513, 128)
    assert torch.all(bank[512] == 0)
    assert int((bank > 1e-4).sum()) == 947
    assert float(bank.double().sum()) == pytest.approx(473.4906, abs=2e-4)
    assert empty_filters(bank) == []
    for band, first, weights in [
        (0, 1, [0.188595]),
        (1, 1, [0.811405]),
        (2, 2, [0.452999]),
        (3, 2, [0.547001]),
        (20, 14, [0.136253, 0.739703]),
        (40, 37, [0.447433, 0.860155, 0.179107]),
        (64, 83, [0.231816, 0.623460, 0.988558, 0.604174, 0.223326]),
    ]:
        column = bank[:, band]
        expected = torch.zeros(513)
        expected[first : first + len(weights)] = torch.tensor(weights)
        torch.testing.assert_close(column, expected, rtol=0, atol=2e-5)
    assert bank[[457, 468, 479], 127].tolist() == pytest.approx([0.056450, 0.997341, 0.082640], abs=2e-5)


def test_a_triangle_peaks_at_its_centre():
    """A bank with bins exactly at the mel centres: each centre gives 1 to its own band and nothing to the others."""
    centres_hz = 700 * (np.exp(np.linspace(0, 1127 * math.log(1 + 15_000 / 700), 130) / 1127) - 1)[1:-1]
    assert centres_hz[[0, 1, 2, 10, 20, 40, 64, 100, 127]] == pytest.approx(
        [17.08, 34.58, 52.51, 212.60, 461.44, 1181.15, 2655.32, 7292.86, 14625.98], abs=0.005
    )
    fine = MelConfig(n_fft=32_000, n_mels=8, f_max=15_000, mel_scale="kaldi", win_length=0.025).filters(RATE)
    centres = 700 * (np.exp(np.linspace(0, 1127 * math.log(1 + 15_000 / 700), 10) / 1127) - 1)[1:-1]
    assert fine.argmax(dim=0).tolist() == pytest.approx(centres.tolist(), abs=1)
    assert float(fine.max()) <= 1


@pytest.mark.parametrize(("seconds", "frames"), [(1, 100), (5, 500), (10, 1000)])
def test_pre_emphasis_takes_one_sample(seconds: int, frames: int):
    front_end = MelFrontEnd(CONFIG, RATE)
    assert front_end.num_frames(seconds * RATE) == frames
    assert front_end(torch.zeros(1, seconds * RATE)).shape == (1, 1, frames, 128)


def test_pre_emphasis_is_a_difference_of_neighbours():
    """A ramp becomes constant but for its own height: x[n+1] - 1 x[n] = 1."""
    ramp = torch.arange(3000.0)[None]
    with_it = MelConfig(preemphasis=1.0, center=False)
    torch.testing.assert_close(
        MelFrontEnd(with_it, 16_000)(ramp), MelFrontEnd(MelConfig(center=False), 16_000)(torch.ones(1, 2999))
    )


def test_silence():
    front_end = MelFrontEnd(CONFIG, RATE)
    assert front_end.silence == pytest.approx((math.log(1e-5) + 4.5) / 5, abs=1e-6)
    assert front_end.silence == pytest.approx(-1.402585, abs=1e-6)
    assert torch.all(front_end(torch.zeros(1, RATE)) == front_end.silence)


def test_shift_and_scale_go_with_every_compression():
    front_end = MelFrontEnd(MelConfig(compression="db", shift=30, divide=10), RATE)
    plain = MelFrontEnd(MelConfig(compression="db"), RATE)
    torch.testing.assert_close(front_end(sine()), (plain(sine()) + 30) / 10)
    assert front_end.silence == pytest.approx(-7)


@pytest.mark.parametrize(
    ("wave", "shape", "mean", "deviation", "cells"),
    [
        (
            sine(),
            (100, 128),
            -1.15602,
            0.65366,
            {
                (0, 0): 0.09453,
                (0, 50): -1.39860,
                (18, 0): 1.67328,
                (18, 50): 1.58296,
                (19, 50): 1.74897,
                (20, 50): 1.64350,
                (21, 50): 1.39930,
                (22, 50): 0.87216,
                (40, 0): -0.22278,
                (40, 50): -1.39869,
                (64, 50): -1.40257,
                (90, 99): -1.39293,
                (127, 99): -1.40077,
            },
        ),
        (
            sweep(RATE),
            (100, 128),
            -0.47640,
            1.19796,
            {(0, 0): -0.26971, (20, 50): -0.12094, (64, 50): 1.23221, (90, 99): 0.90971},
        ),
        (
            sweep(5 * RATE),
            (500, 128),
            -0.48854,
            1.19967,
            {(0, 0): -0.26971, (20, 50): -0.12094, (64, 50): 1.23221, (90, 99): 0.98160},
        ),
        (
            white(RATE),
            (100, 128),
            0.66699,
            0.70846,
            {(0, 0): -0.44691, (20, 50): -0.31968, (64, 50): 0.73613, (90, 99): 1.20879},
        ),
        (
            white(5 * RATE),
            (500, 128),
            0.66483,
            0.71178,
            {(0, 0): -0.44691, (20, 50): -0.31968, (64, 50): 0.73613, (90, 99): 1.21113},
        ),
    ],
    ids=["sine", "sweep", "long sweep", "noise", "long noise"],
)
def test_worked_numbers(wave, shape, mean, deviation, cells):
    mel_TF = MelFrontEnd(CONFIG, RATE)(wave)[0, 0]
    assert mel_TF.shape == shape
    assert float(mel_TF.mean()) == pytest.approx(mean, abs=1e-4)
    assert float(mel_TF.std(correction=0)) == pytest.approx(deviation, abs=1e-4)
    found = {cell: float(mel_TF[cell[1], cell[0]]) for cell in cells}
    assert found == pytest.approx(cells, abs=1e-4)


def moved(front_end: MelFrontEnd, wave_BS: torch.Tensor, *shifts_hz: tuple[float, float]) -> torch.Tensor:
    """Spectrograms of clips whose lowest and highest edges are moved by so many Hz."""
    draws = [BandJitterDraw(low, high) for low, high in shifts_hz]
    return spectrogram(front_end, wave_BS, [(BandJitter(BandJitterConfig(p=1)), draws)])


def test_moved_bands_are_those_of_other_limits():
    """Each clip gets the bank of its own limits, alone or in a batch."""
    front_end = MelFrontEnd(CONFIG, RATE)
    waves = torch.cat([sine(), sweep(RATE), white(RATE)])
    shifts = torch.tensor([[0.0, 0.0], [9.0, -700.0], [4.0, 900.0]], dtype=torch.float64)
    together = moved(front_end, waves, *map(tuple, shifts.tolist()))
    for row, (low, high) in enumerate(shifts.tolist()):
        other = CONFIG.model_copy(update={"f_min": low, "f_max": 15_000 + high})
        alone = MelFrontEnd(other, RATE)(waves[row : row + 1])
        torch.testing.assert_close(together[row : row + 1], alone, rtol=0, atol=1e-5)
    torch.testing.assert_close(together[:1], front_end(waves[:1]), rtol=0, atol=1e-5)


def test_moved_bands_stay_below_half_the_rate():
    front_end = MelFrontEnd(CONFIG, RATE)
    far = moved(front_end, white(RATE), (0.0, 5_000.0))
    whole = MelFrontEnd(CONFIG.model_copy(update={"f_max": 16_000}), RATE)(white(RATE))
    torch.testing.assert_close(far, whole, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"mel_scale": "kaldi", "norm": "slaney"}, "no unit area"),
        ({"preemphasis": 1.5}, "less than or equal to 1"),
        ({"divide": 0}, "greater than 0"),
    ],
)
def test_wrong_settings(arguments, words):
    with pytest.raises(ValidationError, match=words):
        MelConfig(**arguments)
