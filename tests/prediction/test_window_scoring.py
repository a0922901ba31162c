"""Many sounds through a model: in their order, short ones together, long ones in portions, faults in their place."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from audiosurvey.artefact.classifier import Classifier
from audiosurvey.data.audio.decoding import BadAudio
from audiosurvey.prediction.window_scoring import WindowGroup, Windowing, score_sources

SHORT = 30


class Counting(Classifier):
    """A sample a second, windows of four; scores: the mean of a window, and the rest to 1."""

    def __init__(self) -> None:
        super().__init__(
            {"labels": ["mean", "rest"], "sample_rate": 1, "clip_samples": 4, "pad": "zeros", "mono": "mean"}
        )
        self.calls: list[int] = []

    def scores(self, wave: Any) -> np.ndarray:
        self.calls.append(len(wave))
        mean = wave.mean(axis=1)
        return np.stack([mean, 1 - mean], axis=1)


@dataclass
class Sound:
    """So many samples in blocks of ten, and what ends them."""

    name: str
    samples: int
    fault: str | None = None
    live: bool = False
    given: list[int] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)

    def blocks(self, sample_rate: int, mono: str) -> Iterator[np.ndarray]:
        self.threads.add(threading.get_ident())
        wave = np.arange(self.samples, dtype=np.float32) / 1000
        for at in range(0, self.samples, 10):
            self.given.append(at)
            yield wave[at : at + 10]
        if self.fault:
            raise BadAudio(self.fault)

    def length(self, sample_rate: int) -> int:
        if self.fault:
            raise BadAudio(self.fault)
        return self.samples


def portions(sounds: Sequence[Sound], how: Windowing, model: Counting | None = None) -> list[WindowGroup]:
    return [portion for group in score_sources(model or Counting(), sounds, how) for portion in group]


def test_short_sounds_are_scored_together_and_come_in_order():
    model = Counting()
    found = portions([Sound(f"{n}", 4) for n in range(10)], Windowing(batch_size=4), model)
    assert model.calls == [4, 4, 2]
    assert [(one.sound, one.whole, one.done, len(one.windows)) for one in found] == [
        (n, True, True, 1) for n in range(10)
    ]


def test_a_sound_is_short_up_to_thirty_seconds_unless_asked_otherwise():
    sounds = [Sound("a", SHORT), Sound("b", SHORT + 1)]
    assert [one.whole for one in portions(sounds, Windowing()) if one.done] == [True, False]
    assert [one.whole for one in portions(sounds, Windowing("whole")) if one.done] == [True, True]
    assert [one.whole for one in portions(sounds, Windowing("windows")) if one.done] == [False, False]


@pytest.mark.parametrize("length", [31, 60, 97])
def test_a_long_whole_sound_has_the_windows_of_evaluation(length):
    model = Counting()
    found = [window for one in portions([Sound("a", length)], Windowing("whole"), model) for window in one.windows]
    mean = np.mean([window.score_K for window in found], axis=0)
    wave = np.arange(length, dtype=np.float32) / 1000
    predicted = Counting().predict(wave)
    np.testing.assert_allclose(mean, [predicted["mean"], predicted["rest"]], atol=1e-4)


def test_faults_stand_in_their_place():
    sounds = [Sound("a", 4), Sound("b", 8, "torn"), Sound("c", 4), Sound("d", 40, "cut"), Sound("e", 4)]
    found = portions(sounds, Windowing(batch_size=4))
    assert [(one.sound, one.fault) for one in found if one.done] == [
        (0, None),
        (1, "torn"),
        (2, None),
        (3, "cut"),
        (4, None),
    ]
    assert [len(one.windows) for one in found if one.sound == 1] == [0]
    # Ten whole windows of four lie before the fault.
    assert sum(len(one.windows) for one in found if one.sound == 3) == 10


def test_a_whole_sound_whose_length_cannot_be_told_is_a_fault_and_the_next_goes_on():
    found = portions([Sound("a", 40, "cut"), Sound("b", 4)], Windowing("whole"))
    assert [(one.sound, one.fault) for one in found if one.done] == [(0, "cut"), (1, None)]


def test_what_was_scored_before_is_passed_over_and_the_rest_is_the_same():
    sounds = [Sound("a", 4), Sound("b", 60), Sound("c", 4)]
    how = Windowing(batch_size=4)
    everything = portions(sounds, how)
    rest = [one for group in score_sources(Counting(), sounds, how, done={0}, skip={1: 8}) for one in group]
    wanted = [window for one in everything if one.sound == 1 for window in one.windows][8:]
    found = [window for one in rest if one.sound == 1 for window in one.windows]
    assert [one.start_s for one in found] == [one.start_s for one in wanted] == [32, 36, 40, 44, 48, 52, 56]
    np.testing.assert_array_equal([one.score_K for one in found], [one.score_K for one in wanted])
    assert [one.sound for one in rest if one.done] == [1, 2]


def test_a_live_sound_is_read_here_and_told_window_by_window():
    sound = Sound("mic", 100, live=True)
    groups = score_sources(Counting(), [sound], Windowing())
    (first,) = next(groups)
    assert len(first.windows) == 1
    assert sound.given == [0]
    assert sound.threads == {threading.get_ident()}
    groups.close()


def test_a_long_sound_is_not_read_far_ahead():
    sound = Sound("a", 100_000)
    groups = score_sources(Counting(), [sound], Windowing(batch_size=4))
    next(groups)
    groups.close()
    assert len(sound.given) < 100


class Overflowing(Counting):
    """Scores that are not numbers for windows that begin at 100 samples or later, or with a sample of 1."""

    def scores(self, wave: Any) -> np.ndarray:
        scores = super().scores(wave)
        scores[(wave[:, 0] > 0.0999)] = np.nan
        return scores


@pytest.mark.parametrize("mode", ["auto", "whole", "windows"])
def test_scores_that_are_not_numbers_are_a_fault_of_that_sound(mode):
    class Loud(Sound):
        def blocks(self, sample_rate: int, mono: str) -> Iterator[np.ndarray]:
            yield from (block_S + 1 for block_S in super().blocks(sample_rate, mono))

    sounds = [Sound("a", 4), Loud("b", 4), Sound("c", 4), Sound("d", 120), Sound("e", 4)]
    found = portions(sounds, Windowing(mode, batch_size=3), Overflowing())
    faults = {one.sound: one.fault for one in found if one.done}
    assert list(faults) == [0, 1, 2, 3, 4]
    assert [sound for sound, fault in faults.items() if fault] == [1, 3]
    assert "not numbers" in (faults[1] or "")
    assert (faults[3] or "").endswith("from 100 s on")
    assert all(np.isfinite(window.score_K).all() for one in found for window in one.windows)
    assert sum(len(one.windows) for one in found if one.sound == 3) == 25
