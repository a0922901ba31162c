"""A stretch of the asked length is all but gone; the rest is as it was."""

import pytest
import torch

from audiosurvey.augment.wave.noise import noise_windows
from audiosurvey.augment.wave.stretch import inside
from audiosurvey.augment.wave.wave_masking import COVER, WaveMasking, WaveMaskingConfig, WaveMaskingDraw
from audiosurvey.randomness import stream


def test_the_stretch_holds_noise_of_minus_120_db() -> None:
    operation = WaveMasking(WaveMaskingConfig(p=1, length_s=0.1), sample_rate=22050)
    out_BS = operation.apply(torch.ones(2, 30_000), [WaveMaskingDraw(5, 9), WaveMaskingDraw(27_795, 10**6)], [1, 1])
    for out_S, start in zip(out_BS, (5, 27_795), strict=True):
        covered_S = out_S[start : start + 2205]
        assert covered_S.std().item() == pytest.approx(1e-6, rel=0.1)
        assert abs(covered_S.mean().item()) < 1e-7
        assert (out_S == 1).sum() == 30_000 - 2205
    assert not torch.equal(out_BS[0, 5:2210], out_BS[1, 27_795:])


def test_the_stretch_lies_in_the_window_wherever_it_begins() -> None:
    operation = WaveMasking(WaveMaskingConfig(p=1, length_s=0.005), sample_rate=1000)
    starts = {draw.start for i in range(300) if (draw := operation.draw(stream(i), 12, 12))}
    assert starts == set(range(8))


@pytest.mark.parametrize("length_s", [0.1, 0.9, 1.0, 2.0])
def test_equals_a_mask_over_whole_windows(length_s: float) -> None:
    operation = WaveMasking(WaveMaskingConfig(p=1, length_s=length_s), sample_rate=1000)
    draws = [WaveMaskingDraw(start, 10**6 * start) for start in (0, 1, 950, 999)]
    wave_BS = torch.rand(4, 1000)
    noise_BS = noise_windows([draw.offset for draw in draws], 1000, wave_BS.device)
    covered_BS = inside([draw.start for draw in draws], operation.length, wave_BS)
    expected_BS = torch.where(covered_BS, COVER * noise_BS, wave_BS)
    assert torch.equal(operation.apply(wave_BS, draws, [1000] * 4), expected_BS)
