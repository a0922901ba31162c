"""Spectrograms are added by their ratio, cell for cell."""

import torch

from audiosurvey.augment.mixing.mel_mixup import MelMixup, MelMixupConfig
from audiosurvey.augment.mixing.mixup import RatioDraw
from audiosurvey.randomness import stream


def test_the_weighted_sum_of_each_pair() -> None:
    own, other = torch.rand(2, 3, 1, 5, 4, generator=torch.Generator().manual_seed(0))
    mixed, weight_B = MelMixup(MelMixupConfig(p=1)).mix((own, other), [RatioDraw(r) for r in (0.0, 0.25, 1.0)])
    assert torch.equal(mixed[0], other[0])
    torch.testing.assert_close(mixed[1], 0.25 * own[1] + 0.75 * other[1])
    assert torch.equal(mixed[2], own[2])
    assert weight_B.tolist() == [0, 0.25, 1]


def test_the_ratio_of_a_fine_tuning() -> None:
    mixing = MelMixup(MelMixupConfig(p=1, alpha=0.3, dominant=True))
    ratios = sorted(mixing.draw(stream(i)).ratio for i in range(300))
    assert 0.5 <= ratios[0] < 0.6
    assert ratios[150] > 0.85
