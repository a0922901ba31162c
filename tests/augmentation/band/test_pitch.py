"""Pitch: which factors are drawn, and that a clip's draw is its own. What they do to bands: tests/features."""

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from audiosurvey.augmentation.band.pitch import Pitch, PitchConfig, PitchDraw
from audiosurvey.augmentation.chain import Chain
from audiosurvey.augmentation.settings import AugmentationConfig
from audiosurvey.data.table import Clip
from audiosurvey.randomness import stream

CLIPS = [Clip(f"{i}.wav", Path(f"{i}.wav"), (0,)) for i in range(6)]


def chain(p: float) -> Chain:
    config = AugmentationConfig(pitch=PitchConfig(p=p))
    return Chain(config, seed=0, sample_rate=16_000, train_clips=CLIPS, silence=0.0, bands=64)


@pytest.mark.parametrize("bounds", [(0.5, 2.0), (2.0, 0.5)])
def test_factors_are_even_in_octaves(bounds: tuple[float, float]) -> None:
    pitch = Pitch(PitchConfig(p=1, min=bounds[0], max=bounds[1]))
    octaves = np.log2([draw.pitch for i in range(2000) if (draw := pitch.draw(stream(i)))])
    assert len(octaves) == 2000
    assert -1 <= octaves.min() < -0.99
    assert 0.99 < octaves.max() <= 1
    assert abs(octaves.mean()) < 0.05
    assert octaves.std() == pytest.approx(2 / 12**0.5, rel=0.05)


def test_a_clip_that_the_coin_spares_stays() -> None:
    pitch = Pitch(PitchConfig(p=0.5))
    factor_B = pitch.factors([None, PitchDraw(1.1)])
    assert factor_B is not None
    assert factor_B.tolist() == pytest.approx([1, 1.1])
    assert pitch.factors([None, None]) is None
    assert chain(0.0).band_change(CLIPS, 1).pitch_B is None


def test_a_clip_has_the_same_pitch_alone_and_in_any_batch() -> None:
    one = chain(1.0)
    together, alone, later = (
        one.band_change(clips, epoch).pitch_B for clips, epoch in ((CLIPS, 3), ([CLIPS[4]], 3), ([CLIPS[4]], 4))
    )
    assert together is not None
    assert alone is not None
    assert later is not None
    assert together[4] == alone
    assert len(set(together.tolist())) == len(CLIPS)
    assert alone != later
    (said,) = one.describe(CLIPS[4], 3, samples=8000, frames=51, bands=64)
    assert said == {"operation": "pitch", "pitch": pytest.approx(alone.item())}


@pytest.mark.parametrize("wrong", [{"min": 0}, {"max": 5}, {"p": 2}])
def test_wrong_settings(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        PitchConfig.model_validate({"p": 0.5} | wrong)
