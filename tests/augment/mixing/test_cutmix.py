"""A rectangle of cells is the partner's, and the label is its area."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from audiosurvey.augment.extent import Extent
from audiosurvey.augment.mixing.cutmix import Cutmix, CutmixConfig, CutmixDraw
from audiosurvey.randomness import stream


def taken(draws: list[CutmixDraw], frames: int, bands: int) -> tuple[torch.Tensor, torch.Tensor]:
    """True where the partner shows, (B, T, F), and the weights of the clips' own labels."""
    own, other = torch.zeros(len(draws), 2, frames, bands), torch.ones(len(draws), 2, frames, bands)
    mixed_BCTF, weight_B = Cutmix(CutmixConfig(p=1)).mix((own, other), draws)
    assert torch.equal(mixed_BCTF[:, 0], mixed_BCTF[:, 1]), "channels share their rectangle"
    return mixed_BCTF[:, 0] == 1, weight_B


def test_a_rectangle_in_the_middle_by_hand() -> None:
    place_BTF, weight_B = taken([CutmixDraw(0.5, 0.5, 0.5)], 8, 4)
    expected_TF = torch.zeros(8, 4, dtype=torch.bool)
    expected_TF[2:6, 1:3] = True
    assert torch.equal(place_BTF[0], expected_TF)
    assert weight_B.item() == pytest.approx(0.75)


def test_what_stands_over_the_border_is_lost() -> None:
    place_BTF, weight_B = taken([CutmixDraw(0.5, 0.0, 1.0)], 8, 4)
    expected_TF = torch.zeros(8, 4, dtype=torch.bool)
    expected_TF[:2, 3:] = True
    assert torch.equal(place_BTF[0], expected_TF)
    assert weight_B.item() == pytest.approx(1 - 2 / 32)


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 70), st.integers(1, 50))
def test_the_label_is_the_area(seed: int, frames: int, bands: int) -> None:
    draws = [Cutmix(CutmixConfig(p=1)).draw(stream(seed, i)) for i in range(4)]
    place_BTF, weight_B = taken(draws, frames, bands)
    torch.testing.assert_close(weight_B, 1 - place_BTF.float().mean((1, 2)), atol=1e-6, rtol=0)
    for place_TF in place_BTF:
        assert place_TF.sum() == place_TF.any(0).sum() * place_TF.any(1).sum(), "one rectangle"


def test_alpha_1_draws_all_areas_alike() -> None:
    mixing = Cutmix(CutmixConfig(p=1))
    areas = [mixing.draw(stream(i)).side ** 2 for i in range(500)]
    assert np.allclose(np.quantile(areas, [0.25, 0.5, 0.75]), [0.25, 0.5, 0.75], atol=0.07)


def test_alpha_0_is_refused() -> None:
    with pytest.raises(ValidationError, match="greater than 0"):
        CutmixConfig(alpha=0)


def test_the_label_counts_what_sounds_alone() -> None:
    """A rectangle over frames 2 to 5 and all bands, of 8 frames: the clip sounds in 0 to 3, its partner in 0 to 2 in
    one row, in all frames in another, in 6 and 7 in the third."""
    draws = [CutmixDraw(0.5, 0.5, 0.5)] * 3
    mels = torch.zeros(3, 1, 8, 4), torch.ones(3, 1, 8, 4)
    own = [Extent(0, 4, 8)] * 3
    partners = [Extent(0, 3, 8), Extent.whole(8), Extent(6, 2, 8)]
    _, weight_B = Cutmix(CutmixConfig(p=1)).mix(mels, draws, (own, partners))
    # Half of the bands: 16 cells of the clip, 4 of which are lost; 2, 8 and 0 come from the partner.
    assert weight_B.tolist() == pytest.approx([12 / 14, 12 / 20, 1.0])


def test_where_nothing_sounds_the_label_is_the_area() -> None:
    mels = torch.zeros(1, 1, 8, 4), torch.zeros(1, 1, 8, 4)
    nothing = [Extent(0, 0, 8)]
    _, weight_B = Cutmix(CutmixConfig(p=1)).mix(mels, [CutmixDraw(0.5, 0.5, 0.5)], (nothing, nothing))
    assert weight_B.item() == pytest.approx(0.75)
