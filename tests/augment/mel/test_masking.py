"""Masks cover whole frames or whole bands, in the number and of the widths that were asked for."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audiosurvey.augment.extent import Extent, sounding
from audiosurvey.augment.mel.masking import (
    FreqMasking,
    FreqMaskingConfig,
    MaskDraw,
    TimeMasking,
    TimeMaskingConfig,
    covered,
    draw_masks,
    spans,
)
from audiosurvey.randomness import stream


def test_time_masks_cover_the_drawn_frames_in_all_bands() -> None:
    mel_BCTF = torch.ones(2, 1, 10, 3)
    draws = [MaskDraw((1, 7), (2, 3), 10), MaskDraw((0, 4), (0, 1), 10)]
    out_BCTF = TimeMasking(TimeMaskingConfig(p=1), silence=-9.0).apply(mel_BCTF, draws)
    assert [t for t in range(10) if (out_BCTF[0, 0, t] == -9).all()] == [1, 2, 7, 8, 9]
    assert [t for t in range(10) if (out_BCTF[1, 0, t] == -9).any()] == [4]
    assert (out_BCTF == 1).sum() == (10 - 5) * 3 + (10 - 1) * 3


def test_frequency_masks_cover_the_drawn_bands_at_all_times() -> None:
    mel_BCTF = torch.ones(1, 1, 4, 6)
    out_BCTF = FreqMasking(FreqMaskingConfig(p=1), silence=0.0).apply(mel_BCTF, [MaskDraw((4,), (2,), 6)])
    assert torch.equal(out_BCTF[0, 0], torch.tensor([1.0, 1, 1, 1, 0, 0]).repeat(4, 1))


def test_fill_mean_is_the_mean_of_the_clips_own_map() -> None:
    mel_BCTF = torch.rand(2, 1, 8, 5, generator=torch.Generator().manual_seed(1))
    masking = TimeMasking(TimeMaskingConfig(p=1, fill="mean"), silence=-9.0)
    out_BCTF = masking.apply(mel_BCTF, [MaskDraw((0,), (1,), 8), MaskDraw((3,), (1,), 8)])
    torch.testing.assert_close(out_BCTF[0, 0, 0], mel_BCTF[0].mean().expand(5))
    torch.testing.assert_close(out_BCTF[1, 0, 3], mel_BCTF[1].mean().expand(5))


def test_widths_are_even_from_0_to_below_the_bound_and_starts_fill_the_axis() -> None:
    draws = [draw_masks(stream(i), 6, 20, Extent.whole(100)) for i in range(500)]
    widths = np.array([draw.widths for draw in draws])
    assert widths.shape == (500, 6)
    counts = np.bincount(widths.ravel())
    assert len(counts) == 20
    assert counts.min() > 100
    ends = np.array([draw.starts for draw in draws]) + widths
    assert min(min(draw.starts) for draw in draws) == 0
    assert ends.max() == 100


@settings(deadline=None)
@given(st.integers(0, 5), st.integers(0, 30), st.integers(1, 20), st.integers(0, 10**6))
def test_masks_lie_on_the_axis_whatever_the_numbers(num: int, bound: int, size: int, seed: int) -> None:
    draw = draw_masks(stream(seed), num, bound, Extent.whole(size))
    assert len(draw.starts) == len(draw.widths) == num
    for start, width in zip(draw.starts, draw.widths, strict=True):
        assert start >= 0
        assert 0 <= width <= max(bound - 1, 0)
        assert start + width <= size


def test_no_masks_leave_the_map() -> None:
    mel_BCTF = torch.rand(2, 1, 8, 5)
    masking = TimeMasking(TimeMaskingConfig(p=1, num=0), silence=0.0)
    draws = [masking.draw(stream(i), 8, 5) for i in range(2)]
    assert torch.equal(masking.apply(mel_BCTF, draws), mel_BCTF)


def test_the_description_leaves_out_masks_without_width() -> None:
    masking = FreqMasking(FreqMaskingConfig(p=1), silence=0.0)
    assert masking.describe(MaskDraw((7, 3, 1), (2, 0, 1), 10)) == {"covered_bands": [[1, 1], [7, 8]]}


@settings(deadline=None)
@given(st.integers(0, 12), st.integers(1, 12), st.integers(0, 10**6))
def test_masks_lie_in_the_part_that_they_are_drawn_for_round_the_end(first: int, length: int, seed: int) -> None:
    extent = Extent(first % 12, length, 12)
    draw = draw_masks(stream(seed), 4, 6, extent)
    mask_T = covered([draw], 12, torch.device("cpu"))[0]
    sounds_T = sounding([extent], torch.device("cpu"))[0]
    assert not (mask_T & ~sounds_T).any()
    told = [cell for begin, end in spans(draw) for cell in range(begin, end + 1)]
    assert sorted(set(told)) == mask_T.nonzero()[:, 0].tolist()
    assert all(width <= length for width in draw.widths)


def test_fill_mean_leaves_padding_out() -> None:
    mel_BCTF = torch.rand(3, 1, 8, 5, generator=torch.Generator().manual_seed(1))
    masking = TimeMasking(TimeMaskingConfig(p=1, fill="mean"), silence=-9.0)
    draws, extents = [MaskDraw((0,), (1,), 8)] * 3, [Extent(0, 3, 8), Extent.whole(8), Extent(6, 4, 8)]
    out_BCTF = masking.apply(mel_BCTF, draws, extents)
    torch.testing.assert_close(out_BCTF[0, 0, 0], mel_BCTF[0, 0, :3].mean().expand(5))
    torch.testing.assert_close(out_BCTF[1, 0, 0], mel_BCTF[1].mean().expand(5))
    torch.testing.assert_close(out_BCTF[2, 0, 0], mel_BCTF[2, 0, [6, 7, 0, 1]].mean().expand(5))
