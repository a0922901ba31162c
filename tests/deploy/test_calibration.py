"""Calibration: a temperature that was put in is found again, errors and thresholds by hand and by trying all."""

import numpy as np
import pytest

from audiosurvey.deploy.calibration import (
    Calibration,
    calibrate,
    choose_thresholds,
    expected_error,
    fit_temperature,
    tempered,
)


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
    assert expected_error(calibrated_NK, truth_NK, False) < 0.02


@pytest.mark.parametrize("temperature", [0.5, 2.5])
def test_the_temperature_of_sigmoids_is_found_again(temperature):
    rng = np.random.default_rng(1)
    z_NK = 1.5 * rng.standard_normal((10_000, 4)) - 1
    truth_NK = (rng.random(z_NK.shape) < sigmoid(z_NK)).astype(float)
    said_NK = sigmoid(z_NK * temperature).astype(np.float32)
    fitted = fit_temperature(said_NK, truth_NK, binary=True)
    assert fitted == pytest.approx(temperature, rel=0.03)
    assert expected_error(tempered(said_NK, fitted, True), truth_NK, True) < 0.02


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


def test_expected_error_by_hand():
    # Ten clips said 0.7: right for seven of them is perfect, right for none is 0.7 off.
    said_NK = np.tile([0.7, 0.3], (10, 1))
    right_NK = np.eye(2)[[0] * 7 + [1] * 3]
    assert expected_error(said_NK, right_NK, False) == pytest.approx(0)
    assert expected_error(said_NK, np.eye(2)[[1] * 10], False) == pytest.approx(0.7)
    # Two bins: four clips at 0.95 of which two are right (gap 0.45), six at 0.55 all right (gap 0.45 the other way).
    said_NK = np.array([[0.95, 0.05]] * 4 + [[0.55, 0.45]] * 6)
    assert expected_error(said_NK, np.eye(2)[[0, 0, 1, 1] + [0] * 6], False) == pytest.approx(0.45)
    # For sigmoids every score counts: 1.0 and wrong, 0.0 and right.
    assert expected_error(np.array([[1.0, 0.0]]), np.array([[0.0, 0.0]]), True) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("scores", "true", "threshold"),
    [
        ([0.9, 0.6, 0.5, 0.1], [1, 1, 0, 0], 0.55),  # apart: in the middle of the gap
        ([0.9, 0.6, 0.4, 0.1], [1, 0, 1, 0], 0.25),  # F1 of 1, 2, 3, 4 accepted: 2/3, 1/2, 4/5, 2/3
        ([0.8, 0.5, 0.5, 0.2], [1, 1, 0, 0], 0.35),  # equal scores are accepted together: 2/3, -, 4/5, 2/3
        ([0.8, 0.4], [1, 1], 0.2),  # nothing to reject: half of the lowest
    ],
)
def test_thresholds_by_hand(scores, true, threshold):
    for order in (slice(None), slice(None, None, -1)):
        column, truth = np.array(scores)[order, None], np.array(true)[order, None]
        assert choose_thresholds(column, truth, ["dog"])["dog"] == pytest.approx(threshold)


def test_no_threshold_has_a_larger_f1():
    rng = np.random.default_rng(4)
    for _ in range(20):
        score_N = rng.random(40).round(2)
        true_N = rng.random(40) < 0.2 + 0.6 * score_N

        def f1(threshold: float, score_N=score_N, true_N=true_N) -> float:
            accepted_N = score_N >= threshold
            return 2 * (accepted_N & true_N).sum() / (accepted_N.sum() + true_N.sum())

        chosen = choose_thresholds(score_N[:, None], true_N[:, None], ["dog"])["dog"]
        assert f1(chosen) == max(f1(t) for t in np.linspace(0, 1, 1001))


def test_a_class_without_clips_has_no_threshold():
    scores_NK = np.array([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1]])
    assert set(choose_thresholds(scores_NK, np.eye(3)[[0, 1]], ["a", "b", "c"])) == {"a", "b"}


def test_the_facts_of_what_was_not_calibrated():
    facts = Calibration().facts()
    assert facts["thresholds"] == {}
    assert (facts["calibration"]["temperature"], facts["calibration"]["fitted_on"]) == (1.0, None)


def test_thresholds_are_of_the_calibrated_scores():
    said_NK = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]])
    truth_NK = np.eye(2)[[0, 0, 1, 1]]
    calibrated = calibrate(said_NK, truth_NK, ["a", "b"], False, "four clips")
    after_NK = tempered(said_NK, calibrated.temperature, False)
    assert calibrated.fitted_on == "four clips"
    assert calibrated.thresholds == choose_thresholds(after_NK, truth_NK, ["a", "b"])
    assert calibrated.thresholds is not None
    assert after_NK[3, 0] < calibrated.thresholds["a"] < after_NK[1, 0]
