"""Moving mean and median: by hand, at the ends, and as soon as they can be known."""

from collections.abc import Iterator

import numpy as np
import pytest

from audiosurvey.errors import ArgumentError
from audiosurvey.prediction.smoothing import Smoothing
from audiosurvey.prediction.stream import WindowScores


def windows(*scores: float) -> list[WindowScores]:
    return [WindowScores(n, n + 1, np.array([score, 1 - score], np.float32)) for n, score in enumerate(scores)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1", [0, 0.9, 0, 0.3, 0.6]),
        ("3", [0.45, 0.3, 0.4, 0.3, 0.45]),
        ("mean:3", [0.45, 0.3, 0.4, 0.3, 0.45]),
        ("median:3", [0.45, 0, 0.3, 0.3, 0.45]),
        ("9", [0.36, 0.36, 0.36, 0.36, 0.36]),
    ],
)
def test_by_hand(text, wanted):
    smoothed = list(Smoothing.parse(text).apply(windows(0, 0.9, 0, 0.3, 0.6)))
    np.testing.assert_allclose([one.score_K[0] for one in smoothed], wanted, atol=1e-6)
    assert [(one.start_s, one.end_s) for one in smoothed] == [(n, n + 1) for n in range(5)]
    assert all(one.score_K.dtype == np.float32 for one in smoothed)


def test_a_mean_of_probabilities_still_sums_to_one():
    assert all(one.score_K.sum() == pytest.approx(1) for one in Smoothing(5).apply(windows(0.1, 0.5, 0.9)))


def test_a_single_click_does_not_pass_a_median():
    smoothed = Smoothing(3, "median").apply(windows(0, 0, 1, 0, 0))
    assert max(one.score_K[0] for one in smoothed) == 0


@pytest.mark.parametrize("width", [1, 3, 5])
def test_nothing_waits_longer_than_half_the_width(width):
    taken = 0

    def counted() -> Iterator[WindowScores]:
        nonlocal taken
        for window in windows(*[0.5] * 20):
            taken += 1
            yield window

    for given, _ in enumerate(Smoothing(width).apply(counted()), 1):
        assert taken <= given + width // 2


@pytest.mark.parametrize("count", [0, 1, 2])
def test_sounds_shorter_than_the_width(count):
    assert len(list(Smoothing(5).apply(windows(*[0.5] * count)))) == count


@pytest.mark.parametrize("text", ["", "0", "4", "-3", "3.5", "median", "median:", "mode:3", "three"])
def test_what_is_no_smoothing_is_one_line(text):
    with pytest.raises(ArgumentError, match=r"smooth='.*odd number of windows") as error:
        Smoothing.parse(text)
    (line,) = error.value.flag_lines
    assert line.startswith(f"--smooth {text}: expected an odd number of windows")
