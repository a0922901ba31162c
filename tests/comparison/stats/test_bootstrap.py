"""The bootstrap over recordings: coverage by simulation, and weighted average precision against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from audiosurvey.comparison.stats.bootstrap import (
    accuracy_draws,
    bootstrap_p,
    interval,
    map_draws,
    weighted_average_precision,
    weighted_map,
)
from audiosurvey.comparison.stats.metrics import fold_maps

FOLDS, RECORDINGS, CLIPS = 5, 120, 4


def strong_sources(rng: np.random.Generator) -> np.ndarray:
    """Correctness of 120 recordings x 4 clips: a recording is easy or hard, and its clips agree."""
    easy_G = rng.random(RECORDINGS) < 0.7
    agrees_GC = rng.random((RECORDINGS, CLIPS)) < 0.9
    return np.where(agrees_GC, easy_G[:, None], ~easy_G[:, None]).ravel().astype(float)


TRUE_ACCURACY = 0.7 * 0.9 + 0.3 * 0.1
RECORDING_N = np.repeat(np.arange(RECORDINGS), CLIPS)
FOLD_N = RECORDING_N % FOLDS


@pytest.mark.slow
def test_clips_of_one_recording_widen_the_interval_and_give_the_right_coverage():
    rng = np.random.default_rng(0)
    surveys, inside, inside_clipwise = 300, 0, 0
    widths: list[tuple[float, float]] = []
    for _ in range(surveys):
        correct_N = strong_sources(rng)
        draws = accuracy_draws(correct_N[None], FOLD_N, RECORDING_N, rng, draws=250)[:, 0]
        clipwise = accuracy_draws(correct_N[None], FOLD_N, np.arange(len(correct_N)), rng, draws=250)[:, 0]
        (low, high), (clip_low, clip_high) = interval(draws), interval(clipwise)
        widths.append((high - low, clip_high - clip_low))
        inside += low <= TRUE_ACCURACY <= high
        inside_clipwise += clip_low <= TRUE_ACCURACY <= clip_high
    # a standard error of 1.3 points
    assert 0.905 <= inside / surveys <= 0.985
    assert inside_clipwise / surveys < 0.85
    by_recording, by_clip = np.mean(widths, axis=0)
    assert by_recording > 1.3 * by_clip


def test_the_standard_error_is_that_of_the_formula():
    rng = np.random.default_rng(1)
    correct_N = strong_sources(rng)
    one_fold = np.zeros(len(correct_N), dtype=int)
    draws = accuracy_draws(correct_N[None], one_fold, RECORDING_N, rng, draws=20_000)
    of_recordings = correct_N.reshape(RECORDINGS, CLIPS).mean(axis=1)
    assert draws.std() == pytest.approx(of_recordings.std() / np.sqrt(RECORDINGS), rel=0.03)
    assert draws.mean() == pytest.approx(correct_N.mean(), abs=0.002)


def test_models_are_scored_on_the_same_draws():
    rng = np.random.default_rng(2)
    correct_N = strong_sources(rng)
    draws = accuracy_draws(np.stack([correct_N, correct_N, 1 - correct_N]), FOLD_N, RECORDING_N, rng)
    assert np.array_equal(draws[:, 0], draws[:, 1])
    assert draws[:, 0] + draws[:, 2] == pytest.approx(1)


def test_the_order_of_the_clips_does_not_matter():
    correct_N = strong_sources(np.random.default_rng(3))
    order = np.random.default_rng(4).permutation(len(correct_N))
    there = accuracy_draws(correct_N[None], FOLD_N, RECORDING_N, np.random.default_rng(5), 300)
    back = accuracy_draws(correct_N[order][None], FOLD_N[order], RECORDING_N[order], np.random.default_rng(5), 300)
    assert there == pytest.approx(back)


def test_a_fold_drawn_empty_is_left_out():
    draws = accuracy_draws(np.ones((1, 4)), np.arange(4), np.arange(4), np.random.default_rng(0), 200)
    assert (draws == 1).all()


SCORES = st.lists(st.sampled_from([0.1, 0.2, 0.5, 0.5, 0.9]), min_size=3, max_size=12)


@given(SCORES, st.randoms(use_true_random=False))
def test_weighted_average_precision_is_that_of_scikit_learn(scores, random):
    truth = np.array([random.random() < 0.5 for _ in scores])
    weights = np.array([[random.randint(0, 3) for _ in scores] for _ in range(4)], dtype=float)
    found = weighted_average_precision(np.array(scores), truth, weights)
    for value, weight in zip(found, weights, strict=True):
        if (weight * truth).sum() == 0:
            assert np.isnan(value)
        else:
            assert value == pytest.approx(average_precision_score(truth, scores, sample_weight=weight))


def test_whole_weights_give_the_map_of_the_results():
    rng = np.random.default_rng(0)
    scores, truth, fold = rng.random((60, 4)), rng.random((60, 4)) < 0.3, np.arange(60) % 2
    wanted = fold_maps(scores[None], truth, fold)[0]
    for side in (0, 1):
        rows = fold == side
        assert weighted_map(scores[rows], truth[rows], np.ones((1, 30)))[0] == pytest.approx(wanted[side])
    draws = map_draws(scores[None], truth, fold, np.arange(60), rng, draws=300)
    low, high = interval(draws)
    assert low < wanted.mean() < high


def test_p_of_a_bootstrapped_difference():
    assert bootstrap_p(np.array([1.0] * 99)) == pytest.approx(0.02)
    assert bootstrap_p(np.zeros(50)) == 1
    assert bootstrap_p(np.array([-1.0, 1] * 50)) == pytest.approx(1, abs=0.02)
    assert bootstrap_p(np.full(3, np.nan)) == 1
