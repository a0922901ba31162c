"""The covered share is the one asked for, and what is covered are whole blocks."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audiosurvey.augment.extent import Extent, sounding
from audiosurvey.augment.mel.dropblock import (
    BlockSize,
    DropBlock,
    DropBlockConfig,
    DropBlockDraw,
    cover,
    paper_gamma,
    solve_gamma,
)
from audiosurvey.randomness import stream


def exact_share(frames: int, bands: int, block_t: int, block_f: int, gamma: float) -> float:
    """The mean covered share, by counting for each cell the places that cover it."""
    free = 0.0
    for t, f in itertools.product(range(frames), range(bands)):
        ways = sum(
            0 <= t - i < block_t and 0 <= f - j < block_f
            for i in range(frames - block_t + 1)
            for j in range(bands - block_f + 1)
        )
        free += (1 - gamma) ** ways
    return 1 - free / (frames * bands)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), st.integers(1, 8), st.integers(1, 9), st.integers(1, 8), st.floats(0.01, 0.99))
def test_gamma_gives_the_asked_share(frames: int, bands: int, block_t: int, block_f: int, dp: float) -> None:
    block_t, block_f = min(block_t, frames), min(block_f, bands)
    gamma = solve_gamma(frames, bands, block_t, block_f, dp)
    assert 0 < gamma < 1
    assert exact_share(frames, bands, block_t, block_f, gamma) == pytest.approx(dp, abs=1e-9)


def test_gamma_by_hand() -> None:
    assert solve_gamma(10, 10, 1, 1, 0.3) == pytest.approx(0.3), "single cells: every one has its own coin"
    assert solve_gamma(6, 4, 6, 4, 0.3) == pytest.approx(0.3), "a block as large as the map: one coin"
    # Three cells, blocks of two: the outer cells have one way, the middle two; (2g + 1 - (1-g)²)/3 = (4g - g²)/3.
    assert solve_gamma(3, 1, 2, 1, 0.5) == pytest.approx(2 - np.sqrt(2.5))
    assert solve_gamma(20, 20, 3, 3, 0.0) == 0


def test_the_paper_formula_stays_below_the_share() -> None:
    gamma = paper_gamma(12, 9, 3, 4, 0.4)
    assert gamma == pytest.approx(0.4 * 12 * 9 / (3 * 4 * 10 * 6))
    assert gamma < solve_gamma(12, 9, 3, 4, 0.4)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 12), st.integers(1, 12), st.integers(0, 99))
def test_cover_draws_whole_blocks(frames: int, bands: int, block_t: int, block_f: int, seed: int) -> None:
    block_t, block_f = min(block_t, frames), min(block_f, bands)
    seeds = stream(seed).random((2, 1, frames - block_t + 1, bands - block_f + 1)) < 0.1
    expected = np.zeros((2, 1, frames, bands), bool)
    for b, _, t, f in zip(*np.nonzero(seeds), strict=True):
        expected[b, 0, t : t + block_t, f : f + block_f] = True
    assert np.array_equal(cover(torch.from_numpy(seeds), block_t, block_f).numpy(), expected)
    assert np.array_equal(cover(torch.from_numpy(seeds).float(), block_t, block_f).numpy(), expected)


@pytest.mark.parametrize(("block_t", "block_f"), [(32, 4), (7, 2), (4, 5), (100, 1), (500, 500)])
@pytest.mark.parametrize("dp", [0.1, 0.5])
def test_realised_share_of_many_draws(block_t: int, block_f: int, dp: float) -> None:
    config = DropBlockConfig(p=1, dp=dp, block_size=BlockSize(t=block_t, f=block_f))
    operation = DropBlock(config, silence=0.0)
    shares = []
    for i in range(30):
        draws = [operation.draw(stream(i, j, "dropblock"), 100, 64) for j in range(30)]
        shares.append((operation.apply(torch.ones(30, 1, 100, 64), draws) == 0).float().mean().item())
    tolerance = max(0.05 * dp, 4 * np.std(shares) / np.sqrt(len(shares)))
    assert np.mean(shares) == pytest.approx(dp, abs=tolerance)
    assert np.std(shares) > 0


def test_covered_cells_are_silent_and_the_rest_is_not_rescaled() -> None:
    mel_BCTF = torch.rand(1, 2, 6, 5, generator=torch.Generator().manual_seed(0))
    operation = DropBlock(DropBlockConfig(p=1, block_size=BlockSize(t=2, f=3)), silence=-7.0)
    # Places are counted row by row: 3 bands fit a block of 3 in 5, so place 4 is frame 1, band 1.
    out_BCTF = operation.apply(mel_BCTF, [DropBlockDraw((4,), (2, 3))])
    assert (out_BCTF[:, :, 1:3, 1:4] == -7).all()
    out_BCTF[:, :, 1:3, 1:4] = mel_BCTF[:, :, 1:3, 1:4]
    assert torch.equal(out_BCTF, mel_BCTF)


def test_fill_mean() -> None:
    mel_BCTF = torch.rand(2, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    operation = DropBlock(DropBlockConfig(p=1, fill="mean", block_size=BlockSize(t=1, f=1)), silence=-7.0)
    out_BCTF = operation.apply(mel_BCTF, [DropBlockDraw((0,), (1, 1)), DropBlockDraw((), (1, 1))])
    assert out_BCTF[0, 0, 0, 0] == pytest.approx(mel_BCTF[0].mean().item())
    assert torch.equal(out_BCTF[1], mel_BCTF[1])


@pytest.mark.parametrize("extent", [Extent(0, 25, 100), Extent(40, 25, 100), Extent(90, 25, 100)])
def test_blocks_cover_their_share_of_a_short_clip_and_nothing_of_its_padding(extent: Extent) -> None:
    """Blocks of 32 frames, cut to a clip of 25, beside a clip that fills the window."""
    operation = DropBlock(DropBlockConfig(p=1, dp=0.4), silence=0.0)
    extents, shares = [extent, Extent.whole(100)] * 15, []
    sounds_BT = sounding(extents, torch.device("cpu"))
    for i in range(30):
        draws = [operation.draw(stream(i, j), 100, 16, part) for j, part in enumerate(extents)]
        covered_BTF = operation.apply(torch.ones(30, 1, 100, 16), draws, extents)[:, 0] == 0
        assert not covered_BTF[~sounds_BT].any()
        share_B = covered_BTF.sum((1, 2)) / (16 * sounds_BT.sum(1))
        shares.append([float(share_B[::2].mean()), float(share_B[1::2].mean())])
    assert np.mean(shares, axis=0) == pytest.approx([0.4, 0.4], abs=0.05)


def test_a_turned_clip_has_the_blocks_of_the_clip_that_stands_at_the_beginning() -> None:
    operation = DropBlock(DropBlockConfig(p=1), silence=0.0)
    first, turned = Extent(0, 30, 50), Extent(35, 30, 50)
    draws = [operation.draw(stream("x"), 50, 16, extent) for extent in (first, turned)]
    out_BCTF = operation.apply(torch.ones(2, 1, 50, 16), draws, [first, turned])
    assert torch.equal(out_BCTF[0].roll(35, 1), out_BCTF[1])
