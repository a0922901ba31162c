"""Calibration: a temperature that was put in is found again, for windows and for means of them; errors by hand."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audiosurvey.artefact.calibration import (
    Calibration,
    calibrate,
    fit_temperature,
)
from audiosurvey.artefact.temperature import Temperatures, tempered
from audiosurvey.artefact.thresholds import choose_thresholds
from audiosurvey.training.metrics import expected_calibration_error
from audiosurvey.training.sound_scores import ScoredWindows


def softmax(z_NK: np.ndarray) -> np.ndarray:
    share_NK = np.exp(z_NK - z_NK.max(axis=1, keepdims=True))
    return share_NK / share_NK.sum(axis=1, keepdims=True)


def sigmoid(z_NK: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z_NK))


def drawn(p_NK: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One class a row, by its probabilities."""
    chosen_N = (p_NK.cumsum(axis=1) < rng.random((len(p_NK), 1))).sum(axis=1)
    return np.eye(p_NK.shape[1])[np.minimum(chosen_N, p_NK.shape[1] - 1)]


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_the_temperature_of_a_softmax_is_found_again(temperature):
    rng = np.random.default_rng(0)
    z_NK = 1.5 * rng.standard_normal((20_000, 6))
    truth_NK = drawn(softmax(z_NK), rng)
    said_NK = softmax(z_NK * temperature).astype(np.float32)
    assert fit_temperature(said_NK, truth_NK, binary=False) == pytest.approx(temperature, rel=0.03)
    calibrated_NK = tempered(said_NK, fit_temperature(said_NK, truth_NK, False), False)
    assert expected_calibration_error(calibrated_NK, truth_NK, False) < 0.02


@pytest.mark.parametrize("temperature", [0.5, 2.5])
def test_the_temperature_of_sigmoids_is_found_again(temperature):
    rng = np.random.default_rng(1)
    z_NK = 1.5 * rng.standard_normal((10_000, 4)) - 1
    truth_NK = (rng.random(z_NK.shape) < sigmoid(z_NK)).astype(float)
    said_NK = sigmoid(z_NK * temperature).astype(np.float32)
    fitted = fit_temperature(said_NK, truth_NK, binary=True)
    assert fitted == pytest.approx(temperature, rel=0.03)
    assert expected_calibration_error(tempered(said_NK, fitted, True), truth_NK, True) < 0.02


def test_it_is_the_lowest_loss_of_all_temperatures():
    rng = np.random.default_rng(2)
    said_NK = softmax(4 * rng.standard_normal((300, 5)))
    truth_NK = drawn(softmax(np.log(said_NK) / 2), rng)
    doubt = 1 / 302
    target_NK = np.where(truth_NK > 0, 1 - doubt, doubt / 4)
    grid = np.exp(np.linspace(-1, 2, 3001))
    losses = [-(target_NK * np.log(softmax(np.log(said_NK) / t))).sum(axis=1).mean() for t in grid]
    assert fit_temperature(said_NK, truth_NK, False) == pytest.approx(grid[np.argmin(losses)], rel=2e-3)


def test_few_clips_all_recognised_are_no_certainty():
    # Six clips of the first of two classes: the likeliest score is Platt's target, 7/8.
    said_NK = np.tile([0.9, 0.1], (6, 1))
    truth_NK = np.tile([1.0, 0.0], (6, 1))
    calibrated_NK = tempered(said_NK, fit_temperature(said_NK, truth_NK, False), False)
    np.testing.assert_allclose(calibrated_NK[:, 0], 7 / 8, atol=1e-5)


def test_tempered_by_hand():
    # Odds of 4 to 1 become their square root under a temperature of 2.
    np.testing.assert_allclose(tempered(np.array([[0.8, 0.2]]), 2, False), [[2 / 3, 1 / 3]])
    np.testing.assert_allclose(tempered(np.array([[0.8, 0.2]]), 2, True), [[2 / 3, 1 / 3]])
    np.testing.assert_allclose(tempered(np.array([[0.3, 0.6, 0.1]]), 1, False), [[0.3, 0.6, 0.1]])


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("temperature", [0.05, 0.7, 20.0])
def test_the_order_stays_and_certain_scores_stay_finite(binary, temperature):
    rng = np.random.default_rng(3)
    said_NK = softmax(5 * rng.standard_normal((200, 7))).astype(np.float32)
    said_NK[0] = [1, 0, 0, 0, 0, 0, 0]
    after_NK = tempered(said_NK, temperature, binary)
    assert np.isfinite(after_NK).all()
    assert (after_NK.argmax(axis=1) == said_NK.argmax(axis=1)).all()
    assert np.isfinite(fit_temperature(said_NK, np.eye(7)[said_NK.argmax(axis=1)], binary))


def test_the_facts_of_what_was_not_calibrated():
    facts = Calibration().facts()
    assert facts["thresholds"] == {}
    assert (facts["calibration"]["temperature"], facts["calibration"]["fitted_on"]) == (1.0, None)


def spoken(rng: np.random.Generator, sounds: int, windows: int) -> tuple[ScoredWindows, np.ndarray]:
    """Windows of sounds: three times too sure of themselves, and each wrong by itself."""
    truth_NK = np.eye(3)[rng.integers(3, size=sounds)]
    z_WK = 1.2 * np.repeat(truth_NK, windows, axis=0) + rng.standard_normal((sounds * windows, 3))
    return ScoredWindows(softmax(3 * z_WK).astype(np.float32), np.full(sounds, windows)), truth_NK


def test_means_and_windows_have_each_their_own_temperature_fitted_on_their_own_kind():
    scored, truth_NK = spoken(np.random.default_rng(5), 2000, 6)
    made = calibrate(scored, truth_NK, ["a", "b", "c"], binary=False, multi_label=False, fitted_on="made")
    of_windows_WK = np.repeat(truth_NK, 6, axis=0)
    assert made.temperature == fit_temperature(scored.scores_WK, of_windows_WK, False, clips=2000)
    assert made.sound_temperature == fit_temperature(scored.sounds_NK, truth_NK, False)
    assert made.sound_temperature is not None
    assert made.temperature > 1.3 * made.sound_temperature
    by = made.temperatures(False)
    # What is stated holds for either; the other one's temperature would be far off.
    assert expected_calibration_error(tempered(scored.scores_WK, by.window, False), of_windows_WK, False) < 0.02
    assert expected_calibration_error(by.apply_all(scored), truth_NK, False) < 0.04
    assert expected_calibration_error(tempered(scored.scores_WK, by.sound, False), of_windows_WK, False) > 0.1


def test_each_sound_is_calibrated_by_the_number_of_its_windows():
    scored = ScoredWindows(np.array([[0.8, 0.2], [0.9, 0.1], [0.7, 0.3]], np.float32), np.array([1, 2]))
    by = Temperatures(False, window=2, sound=0.5)
    np.testing.assert_allclose(by.apply_all(scored), [[2 / 3, 1 / 3], [16 / 17, 1 / 17]], atol=1e-6)
    np.testing.assert_array_equal(by.apply_all(scored)[1], by.apply(scored.sounds_NK[1], 2))


def test_sounds_of_one_window_have_one_temperature():
    rng = np.random.default_rng(6)
    said_NK = softmax(4 * rng.standard_normal((300, 4))).astype(np.float32)
    truth_NK = drawn(said_NK, rng)
    made = calibrate(
        ScoredWindows.single(said_NK), truth_NK, list("abcd"), binary=False, multi_label=False, fitted_on="made"
    )
    facts = made.facts()
    assert facts["calibration"]["temperature"] == fit_temperature(said_NK, truth_NK, False)
    assert facts["calibration"]["sound_temperature"] == facts["calibration"]["temperature"]
    assert facts["sound_thresholds"] == facts["thresholds"]
    assert facts["calibration"]["window_error"] is None


def test_a_few_long_sounds_among_short_ones_are_not_fitted_alone():
    rng = np.random.default_rng(7)
    short, of_short = spoken(rng, 200, 1)
    long, of_long = spoken(rng, 3, 4)
    scored, truth_NK = ScoredWindows.join([short, long]), np.concatenate([of_short, of_long])
    made = calibrate(scored, truth_NK, ["a", "b", "c"], binary=False, multi_label=False, fitted_on="made")
    assert made.sound_temperature == fit_temperature(scored.sounds_NK, truth_NK, False)


def test_windows_of_one_clip_are_no_independent_evidence():
    # Six clips, all recognised: Platt's target is 7/8 however many windows they have.
    said_NK = np.tile([0.9, 0.1], (60, 1))
    truth_NK = np.tile([1.0, 0.0], (60, 1))
    for binary in (False, True):
        fitted = fit_temperature(said_NK, truth_NK, binary, clips=6)
        np.testing.assert_allclose(tempered(said_NK, fitted, binary)[:, 0], 7 / 8, atol=1e-5)


@given(
    seed=st.integers(0, 10**6),
    windows=st.integers(1, 5),
    power=st.floats(0.01, 60),
    window=st.floats(0.2, 20),
    sound=st.floats(0.2, 20),
    binary=st.booleans(),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_class_that_wins_uncalibrated_wins_calibrated(seed, windows, power, window, sound, binary):
    # By the power scores crowd together near 1, or lie many decades apart.
    scores_WK = (np.random.default_rng(seed).random((windows, 4)) ** power).astype(np.float32)
    mean_K = ScoredWindows(scores_WK, np.array([windows])).sounds_NK[0]
    after_K = Temperatures(binary, window, sound).apply(mean_K, windows)
    assert after_K[mean_K.argmax()] == after_K.max()
    # In softmax scores no tie arises, so that the best class stays the only one.
    if not binary:
        assert (after_K == after_K.max()).sum() == (mean_K == mean_K.max()).sum()


def test_thresholds_are_of_the_calibrated_scores():
    said_NK = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]])
    truth_NK = np.eye(2)[[0, 0, 1, 1]]
    scored = ScoredWindows.single(said_NK)
    calibrated = calibrate(scored, truth_NK, ["a", "b"], binary=False, multi_label=False, fitted_on="four clips")
    after_NK = tempered(said_NK, calibrated.temperature, False)
    assert calibrated.fitted_on == "four clips"
    assert calibrated.thresholds == choose_thresholds(after_NK, truth_NK, ["a", "b"], multi_label=False)
    assert calibrated.thresholds is not None
    assert after_NK[3, 0] < calibrated.thresholds["a"] < after_NK[1, 0]
