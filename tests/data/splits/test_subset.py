"""Shares of the training clips: stratified, nested, reproducible."""

from collections import Counter
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from audiosurvey.data.splits.subset import training_subset
from audiosurvey.data.table import Clip

CLIPS = [
    Clip(f"{label}-{n}", Path("x.wav"), (label,), n % 5 + 1) for label in range(3) for n in range(10 * (label + 1))
]


def test_each_class_keeps_its_share():
    found = Counter(clip.labels[0] for clip in training_subset(CLIPS, 0.3, 0))
    assert found == {0: 3, 1: 6, 2: 9}
    assert training_subset(CLIPS, 1.0, 0) == tuple(CLIPS)


@given(st.floats(0.001, 1), st.floats(0.001, 1), st.integers(0, 5))
def test_smaller_shares_are_contained_in_larger_ones(one: float, two: float, seed: int):
    less, more = sorted((one, two))
    small = {clip.id for clip in training_subset(CLIPS, less, seed)}
    assert small <= {clip.id for clip in training_subset(CLIPS, more, seed)}
    # No class is lost.
    assert {name.split("-")[0] for name in small} == {"0", "1", "2"}


def test_the_seed_decides_and_the_order_does_not():
    found = training_subset(CLIPS, 0.5, 1)
    assert {clip.id for clip in training_subset(CLIPS[::-1], 0.5, 1)} == {clip.id for clip in found}
    assert training_subset(CLIPS, 0.5, 2) != found
    assert list(found) == [clip for clip in CLIPS if clip in found]
