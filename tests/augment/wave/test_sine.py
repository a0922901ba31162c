"""The hum has the drawn frequency and the asked level below the clip."""

import pytest
import torch

from audiosurvey.augment.wave.sine import Sine, SineConfig, SineDraw
from audiosurvey.randomness import stream

RATE = 8000


def hum(wave_BS: torch.Tensor, draws: list[SineDraw | None], valid: list[int]) -> torch.Tensor:
    return Sine(SineConfig(p=1), sample_rate=RATE).apply(wave_BS, draws, valid) - wave_BS


def test_frequency_phase_and_level() -> None:
    wave_BS = 0.2 * torch.randn(1, RATE, generator=torch.Generator().manual_seed(0))
    hum_S = hum(wave_BS, [SineDraw(40.0, 0.5, 30.0)], [RATE])[0].double()
    ratio_db = 10 * torch.log10(wave_BS.square().mean() / hum_S.square().mean())
    assert ratio_db.item() == pytest.approx(30, abs=0.01)
    assert int(torch.fft.rfft(hum_S).abs().argmax()) == 40
    assert torch.fft.rfft(hum_S)[40].angle().item() == pytest.approx(0.5 - torch.pi / 2, abs=1e-3)


def test_the_level_is_that_of_the_clip_before_padding_and_silence_stays_silent() -> None:
    wave_BS = torch.zeros(2, RATE)
    wave_BS[0, :2000] = 0.1
    hum_BS = hum(wave_BS, [SineDraw(40.0, 0.0, 20.0)] * 2, [2000, RATE])
    assert hum_BS[0].square().mean().sqrt().item() == pytest.approx(0.01, rel=1e-3)
    assert torch.equal(hum_BS[1], torch.zeros(RATE))


def test_drawn_up_to_the_highest_frequency_with_a_blurred_end_and_between_the_bounds() -> None:
    sine = Sine(SineConfig(p=1, min_snr_db=35, max_snr_db=30), sample_rate=RATE)
    draws = [draw for i in range(600) if (draw := sine.draw(stream(i), 10, 10))]
    frequencies = torch.tensor([draw.frequency_hz for draw in draws])
    assert frequencies.min() >= 0
    assert 50 < frequencies.max() < 65
    assert frequencies.mean().item() == pytest.approx(25, abs=2)
    assert all(30 <= draw.snr_db <= 35 for draw in draws)
    assert all(0 <= draw.phase < torch.pi for draw in draws)
