"""Durations and sizes in words."""

import pytest

from audiosurvey.pages.units import duration, size


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.004, "0.1 s"),
        (0.84, "0.8 s"),
        (5, "5 s"),
        (9.96, "10 s"),
        (34.4, "34 s"),
        (89.6, "90 s"),
        (90, "1.5 min"),
        (600, "10 min"),
        (5399, "90 min"),
        (5400, "1.5 h"),
        (86400, "24 h"),
    ],
)
def test_a_duration_has_one_decimal_below_ten(seconds: float, words: str):
    assert duration(seconds) == words


@pytest.mark.parametrize(("count", "words"), [(0, "0 kB"), (2_300_000, "2.3 MB"), (1_500_000_000, "1.5 GB")])
def test_a_size_has_the_largest_unit_below_it(count: int, words: str):
    assert size(count) == words
