"""Background removal: what is constant makes all classes equal, and what differs stands out."""

from collections.abc import Iterator

import numpy as np
import pytest

from audiosurvey.prediction.background import AHEAD_S, LEAST_WINDOWS, SPAN_S, UNLIKELY, BackgroundRemoval
from audiosurvey.prediction.stream import WindowScores

RAIN = (0.98, 0.01, 0.01)
DOG = (0.28, 0.7, 0.02)


def windows(*rows: tuple[float, ...], seconds: float = 5.0) -> list[WindowScores]:
    return [
        WindowScores(number * seconds, (number + 1) * seconds, np.array(row, np.float32))
        for number, row in enumerate(rows)
    ]


def test_steady_rain_is_no_class_and_a_dog_in_it_is_a_dog():
    removed = list(BackgroundRemoval().apply(windows(*[RAIN] * 9, DOG, *[RAIN] * 8)))
    assert [(one.start_s, one.end_s) for one in removed] == [(5.0 * n, 5.0 * n + 5) for n in range(18)]
    for number, one in enumerate(removed):
        assert one.score_K.dtype == np.float32
        if number != 9:
            np.testing.assert_allclose(one.score_K, [1 / 3] * 3, atol=1e-6)
    # 0.28 / 0.98, 0.7 / 0.01 and 0.02 / 0.01, as shares.
    ratio_K = np.array([0.28 / 0.98, 70, 2])
    np.testing.assert_allclose(removed[9].score_K, ratio_K / ratio_K.sum(), rtol=1e-4)


def test_independent_labels_are_lowered_until_the_background_is_unlikely():
    rain, both = (0.9, 0.001), (0.95, 0.6)
    removed = list(BackgroundRemoval(binary=True).apply(windows(*[rain] * 8, both, *[rain] * 8)))
    np.testing.assert_allclose(removed[0].score_K, [UNLIKELY, 0.001], rtol=1e-4)
    odds = 0.95 / 0.05 / (0.9 / 0.1) * UNLIKELY / (1 - UNLIKELY)
    # A label that is not in the background keeps its score.
    np.testing.assert_allclose(removed[8].score_K, [odds / (1 + odds), 0.6], rtol=1e-4)


def test_a_sound_of_few_windows_has_no_background():
    few = windows(*[RAIN] * (LEAST_WINDOWS - 1))
    assert list(BackgroundRemoval().apply(few)) == few
    assert list(BackgroundRemoval().apply([])) == []


def test_rain_that_begins_is_an_event_until_it_fills_half_of_the_span():
    quiet = (0.1, 0.45, 0.45)
    before, raining = round(2 * SPAN_S / 5), round(2 * SPAN_S / 5)
    removed = list(BackgroundRemoval().apply(windows(*[quiet] * before, *[RAIN] * raining)))
    found = [number for number, one in enumerate(removed) if one.score_K[0] > 0.5]
    assert found[0] == before
    assert found[-1] - before == pytest.approx(SPAN_S / 5 / 2, abs=1)
    assert found == list(range(found[0], found[-1] + 1))


def test_windows_come_as_soon_as_they_can_after_the_first_minute():
    read = 0

    def live() -> Iterator[WindowScores]:
        nonlocal read
        for window in windows(*[RAIN] * 30):
            read += 1
            yield window

    removed = BackgroundRemoval().apply(live())
    next(removed)
    assert read == AHEAD_S / 5
    for number in range(1, 30):
        next(removed)
        assert read == max(AHEAD_S / 5, number + 1)
