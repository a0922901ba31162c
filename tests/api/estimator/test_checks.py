"""The checks of scikit-learn for estimators, on a network that is trained in a moment."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sklearn.utils.estimator_checks import estimator_checks_generator

from audiosurvey import AudioClassifier
from audiosurvey.threads import one_thread

SMALL = {
    "sample_rate": 8000,
    "mel_spectrogram": {"win_length": 0.032, "hop_length": 0.016, "n_mels": 16, "f_min": 50, "compression": "db"},
    "dataset": {"name": "csv", "table": "none.csv", "clip_seconds": 0.25},
    "train": {"epochs": 1, "lr": 0.02, "num_workers": 0},
    "model": {"blocks": [{"conv_block": {"channels": 4, "layers": 1}}, {"pooling": {"mode": "avg", "flat": False}}]},
    "precision": "fp32",
}
PCM = "integers are PCM samples, and those of 64 bits have no full scale: they are refused, not guessed"
FAILED = {"check_estimators_dtypes": PCM, "check_classifier_data_not_an_array": PCM}
"""Checks that fail, each with the reason."""
SLOW = ("check_classifiers_train",)
"""They train on 300 sounds, several times."""


def checks() -> Iterator[Any]:
    estimator = AudioClassifier(config=SMALL, device="cpu")
    found: Any = estimator_checks_generator(estimator, legacy=True, mark=None)
    for number, (_, check) in enumerate(found):
        name = check.func.__name__
        marks = [pytest.mark.xfail(reason=FAILED[name], strict=True)] if name in FAILED else []
        marks += [pytest.mark.slow] if name in SLOW else []
        yield pytest.param(estimator, check, marks=marks, id=f"{number}-{name}")


@pytest.mark.parametrize(("estimator", "check"), list(checks()))
def test_scikit_learn_accepts_the_estimator(estimator: Any, check: Callable[[Any], None]):
    with one_thread():
        check(estimator)


def test_nothing_is_checked_before_fit():
    """As scikit-learn asks: parameters are stored as they are."""
    estimator = AudioClassifier("no such preset", overrides={"train.lr": math.nan}, random_state=-1)
    assert estimator.get_params()["preset"] == "no such preset"
    with pytest.raises(ValueError, match="no such preset"):
        estimator.fit(["a.wav", "b.wav"], [0, 1])
