"""A turned wave is the same sound upside down."""

import torch

from audiosurvey.augment.wave.polarity import Polarity, PolarityConfig
from audiosurvey.randomness import stream


def test_the_wave_is_turned_and_nothing_else() -> None:
    polarity = Polarity(PolarityConfig(p=0.5))
    draws = [polarity.draw(stream(i), 100, 100) for i in range(40)]
    assert 10 < sum(draw is not None for draw in draws) < 30
    wave_BS = torch.rand(40, 100, generator=torch.Generator().manual_seed(0)) - 0.5
    out_BS = polarity.apply(wave_BS, draws, [100] * 40)
    for draw, wave_S, out_S in zip(draws, wave_BS, out_BS, strict=True):
        assert torch.equal(out_S, wave_S if draw is None else -wave_S)
        torch.testing.assert_close(torch.fft.rfft(out_S).abs(), torch.fft.rfft(wave_S).abs())
    fired = next(draw for draw in draws if draw is not None)
    assert polarity.describe(fired) == {}
