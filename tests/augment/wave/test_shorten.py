"""A stretch of the clip moves to the beginning, and the window is padded as evaluation pads."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from audiosurvey.augment.extent import Extent
from audiosurvey.augment.settings import AugmentationConfig
from audiosurvey.augment.wave.shorten import Shorten, ShortenConfig, ShortenDraw
from audiosurvey.randomness import stream


def test_what_follows_the_stretch_is_silence() -> None:
    wave_BS = torch.arange(1.0, 13.0).reshape(2, 6)
    out_BS = Shorten(ShortenConfig(p=1), pad="zeros").apply(wave_BS, [ShortenDraw(2, 3), ShortenDraw(0, 6)], [6, 6])
    torch.testing.assert_close(out_BS, torch.tensor([[3.0, 4, 5, 0, 0, 0], [7, 8, 9, 10, 11, 12]]))


def test_with_repeat_the_stretch_comes_again_and_again() -> None:
    operation = Shorten(ShortenConfig(p=1), pad="repeat")
    out_BS = operation.apply(torch.arange(1.0, 8.0)[None], [ShortenDraw(3, 2)], [7])
    torch.testing.assert_close(out_BS, torch.tensor([[4.0, 5, 4, 5, 4, 5, 4]]))
    assert operation.extent_after(ShortenDraw(3, 2), Extent.whole(7)) == Extent.whole(7)


@given(valid=st.integers(1, 400), seed=st.integers(0, 10**6), share=st.floats(0.01, 0.99))
def test_the_stretch_lies_in_the_clip_and_keeps_its_share(valid: int, seed: int, share: float) -> None:
    operation = Shorten(ShortenConfig(p=1, min_share=share), pad="zeros")
    draw = operation.draw(stream(seed), 400, valid)
    assert draw is not None
    assert 0 <= draw.start <= draw.start + draw.length <= valid
    assert max(1, round(share * valid)) <= draw.length
    assert operation.extent_after(draw, Extent.until(valid, 400)) == Extent.until(draw.length, 400)


def test_shortening_is_on_unless_it_is_switched_off() -> None:
    assert AugmentationConfig().shorten.p == 0.3
    assert AugmentationConfig.model_validate({"shorten": {"p": 0}}).shorten.p == 0


def test_all_of_a_clip_is_no_shortening() -> None:
    with pytest.raises(ValidationError, match="less than 1"):
        ShortenConfig(min_share=1)
