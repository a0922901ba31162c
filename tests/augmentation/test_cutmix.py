"""A rectangle of cells is the partner's, and the label is its area."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from audiosurvey.augmentation.cutmix import Cutmix, CutmixConfig, CutmixDraw
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
    with pytest.raises(ValidationError, match="size of the rectangle"):
        CutmixConfig(alpha=0)
