"""A stretch of the asked length is all but gone; the rest is as it was."""

import pytest
import torch

from audiosurvey.augmentation.wave.wave_masking import WaveMasking, WaveMaskingConfig, WaveMaskingDraw
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
