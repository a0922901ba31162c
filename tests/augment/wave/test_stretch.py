"""The segment that segment gain and wave masking change lies where the clip sounds."""

import pytest
import torch

from audiosurvey.augment.base import WaveOperation
from audiosurvey.augment.extent import Extent
from audiosurvey.augment.wave.segment_gain import SegmentGain, SegmentGainConfig
from audiosurvey.augment.wave.wave_masking import WaveMasking, WaveMaskingConfig
from audiosurvey.randomness import stream


@pytest.mark.parametrize(
    "operation",
    [
        SegmentGain(SegmentGainConfig(p=1, length_s=0.005), sample_rate=1000),
        WaveMasking(WaveMaskingConfig(p=1, length_s=0.005), sample_rate=1000),
    ],
    ids=["segment_gain", "wave_masking"],
)
def test_the_stretch_lies_where_the_clip_sounds(operation: WaveOperation) -> None:
    """A clip of 10 samples in a window of 40, at its beginning, and turned round its end."""
    starts = {draw.start for i in range(300) if (draw := operation.draw(stream(i), 40, 10))}
    assert starts == set(range(6))
    turned = Extent(35, 10, 40)
    drawn = [draw for i in range(300) if (draw := operation.draw_in(stream(i), turned))]
    assert {draw.start for draw in drawn} == {35, 36, 37, 38, 39, 0}
    changed_BS = operation.apply(torch.ones(300, 40), drawn, [10] * 300) != 1
    assert torch.equal(changed_BS.any(0).nonzero()[:, 0], torch.tensor([*range(5), *range(35, 40)]))
    assert bool((changed_BS.sum(1) == 5).all())
