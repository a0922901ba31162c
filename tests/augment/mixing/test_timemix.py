"""One end is the partner's, sample for sample, and the label counts the samples that hold something."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audiosurvey.augment.mixing.timemix import Timemix, TimemixConfig, TimemixDraw
from audiosurvey.randomness import stream

OWN, OTHER = 1.0, 2.0


def mix(ratio: float, replaced: str, own: int = 1000, other: int = 1000) -> tuple[list[float], int, float]:
    """Of windows of 1000 samples of which so many hold something: the mixture, its length, the clip's weight."""
    place_S = torch.arange(1000)
    waves = (OWN * (place_S < own)[None], OTHER * (place_S < other)[None])
    valids = (torch.tensor([own]), torch.tensor([other]))
    mixing, draw = Timemix(TimemixConfig(p=1)), TimemixDraw(ratio, replaced)
    mixed_BS, weight_B = mixing.mix(waves, valids, [draw])
    return mixed_BS[0].tolist(), mixing.valid_after(draw, own, other, 1000), weight_B.item()


def test_the_end_or_the_start_is_the_partners() -> None:
    assert mix(0.7, "end") == ([OWN] * 700 + [OTHER] * 300, 1000, pytest.approx(0.7))
    assert mix(0.6, "start") == ([OTHER] * 400 + [OWN] * 600, 1000, pytest.approx(0.6))


@pytest.mark.parametrize(
    ("replaced", "own", "other", "end", "weight"),
    [
        ("end", 1000, 500, 700, 1.0),
        ("end", 200, 900, 900, 200 / 400),
        ("start", 250, 1000, 300, 0.0),
        ("start", 1000, 100, 1000, 700 / 800),
        ("end", 1000, 800, 800, 700 / 800),
        ("start", 200, 100, 100, 0.0),
        ("end", 0, 0, 0, 0.7),
    ],
)
def test_padding_is_not_counted(replaced: str, own: int, other: int, end: int, weight: float) -> None:
    _, valid, weighed = mix(0.7, replaced, own, other)
    assert (valid, weighed) == (end, pytest.approx(weight))


@settings(deadline=None)
@given(st.floats(0.5, 1), st.sampled_from(["start", "end"]), st.integers(0, 1000), st.integers(0, 1000))
def test_the_label_is_the_share_of_what_is_heard(ratio: float, replaced: str, own: int, other: int) -> None:
    mixture, valid, weight = mix(ratio, replaced, own, other)
    kept, taken = mixture.count(OWN), mixture.count(OTHER)
    assert weight == pytest.approx(kept / (kept + taken) if kept + taken else ratio, abs=1e-6)
    assert not any(mixture[valid:])
    assert valid == 0 or mixture[valid - 1]


def test_each_clip_by_its_own_draw() -> None:
    waves = (torch.zeros(2, 10), torch.ones(2, 10))
    valids = (torch.tensor([10, 10]), torch.tensor([10, 10]))
    draws = [TimemixDraw(0.5, "start"), TimemixDraw(0.8, "end")]
    mixed_BS, weight_B = Timemix(TimemixConfig(p=1)).mix(waves, valids, draws)
    assert mixed_BS.int().tolist() == [[1] * 5 + [0] * 5, [0] * 8 + [1] * 2]
    torch.testing.assert_close(weight_B, torch.tensor([0.5, 0.8]))


def test_shares_are_drawn_evenly_and_both_ends_alike() -> None:
    mixing = Timemix(TimemixConfig(p=1, min_ratio=0.6))
    draws = [mixing.draw(stream(i)) for i in range(400)]
    assert np.allclose(np.quantile([d.ratio for d in draws], [0, 0.5, 1]), [0.6, 0.8, 1], atol=0.03)
    assert 160 < sum(d.replaced == "end" for d in draws) < 240
