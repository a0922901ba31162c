"""Sounds that wait at the same time are scored together, with the scores they have alone."""

import threading
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import audiosurvey
from audiosurvey.artefact.classifier import Classifier
from audiosurvey.prediction.array_source import ArraySource
from audiosurvey.prediction.window_scoring import Windowing
from audiosurvey.serving.lanes import Lane

HOW = Windowing(batch_size=4)


@pytest.fixture(scope="module")
def model(finished_run: Path) -> Classifier:
    return audiosurvey.load(finished_run / "fold-1" / "model")


class Gated:
    """A model that waits before its first scores, and tells how many windows are scored at once."""

    def __init__(self, model: Classifier, *, failing: bool = False) -> None:
        self._model, self._failing = model, failing
        self.entered, self.gate = threading.Event(), threading.Event()
        self.batches: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def uncalibrated(self, wave: Any) -> np.ndarray:
        self.entered.set()
        assert self.gate.wait(60)
        self.batches.append(len(wave))
        if self._failing and len(self.batches) == 1:
            raise RuntimeError("no memory")
        return self._model.uncalibrated(wave)


def sounds(number: int) -> list[ArraySource]:
    rng = np.random.default_rng(0)
    return [ArraySource(rng.standard_normal(4000).astype(np.float32) / 9, 8000, f"{n}") for n in range(number)]


def test_those_that_wait_are_scored_together(model: Classifier):
    gated: Any = Gated(model)
    taken: list[int] = []
    lane = Lane(gated, 4, threads=1, taken=taken.append)
    first = lane.score(sounds(1)[0], HOW)
    assert gated.entered.wait(60)
    others = [lane.score(sound, HOW) for sound in sounds(6)]
    others.append(lane.score(sounds(1)[0], Windowing(batch_size=2)))
    gated.gate.set()
    found = [future.result(60)[0] for future in (first, *others)]
    lane.close()
    # Sounds with another windowing have a batch of their own.
    assert taken == [1, 4, 2, 1]
    assert gated.batches == [1, 4, 2, 1]
    for sound, groups in zip(sounds(6), found[1:7], strict=True):
        np.testing.assert_allclose(groups.windows[0].score_K, model.uncalibrated(sound.wave_S[None])[0], atol=1e-6)
        assert (groups.sound, groups.done) == (0, True)


def test_a_fault_is_told_to_those_concerned_and_the_lane_goes_on(model: Classifier):
    gated: Any = Gated(model, failing=True)
    lane = Lane(gated, 1, threads=1)
    failing, good = (lane.score(sound, HOW) for sound in sounds(2))
    gated.gate.set()
    with pytest.raises(RuntimeError, match="no memory"):
        failing.result(60)
    assert good.result(60)[0].windows
    assert lane.alive
    lane.close()


def test_requests_that_were_given_up_are_not_scored(model: Classifier):
    gated: Any = Gated(model)
    lane = Lane(gated, 4, threads=1)
    first = lane.score(sounds(1)[0], HOW)
    assert gated.entered.wait(60)
    given_up, kept = (lane.score(sound, HOW) for sound in sounds(2))
    assert given_up.cancel()
    gated.gate.set()
    assert kept.result(60)[0].windows
    assert first.result(60)[0].windows
    assert gated.batches == [1, 1]
    lane.close()


def test_a_closed_lane_cancels_what_waits(model: Classifier):
    gated: Any = Gated(model)
    lane = Lane(gated, 1, threads=1)
    first, waiting = (lane.score(sound, HOW) for sound in sounds(2))
    assert gated.entered.wait(60)
    closing = threading.Thread(target=lane.close)
    closing.start()
    with pytest.raises(CancelledError):
        waiting.result(60)
    gated.gate.set()
    closing.join(60)
    assert first.result(60)[0].windows
    assert not lane.alive
    assert lane.score(sounds(1)[0], HOW).cancelled()


def test_a_closed_lane_does_not_finish_a_long_sound(model: Classifier):
    gated: Any = Gated(model)
    lane = Lane(gated, 1, threads=1)
    long = lane.score(ArraySource(np.zeros(60 * 8000, np.float32), 8000, "long"), HOW)
    assert gated.entered.wait(60)
    closing = threading.Thread(target=lane.close)
    closing.start()
    while not lane._closed:
        pass
    gated.gate.set()
    closing.join(60)
    assert not lane.alive
    with pytest.raises(CancelledError):
        long.result(60)
    assert len(gated.batches) == 1
