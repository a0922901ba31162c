"""Which events become clips: the best and the lowest of each label, with the labels of what overlaps them."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from audiosurvey.artefact.decision import UNKNOWN
from audiosurvey.prediction.clip_choice import ClipChoice
from audiosurvey.prediction.postprocessing import Prediction


def event(label: str, score: float, start_s: float = 0.0, end_s: float = 1.0, name: str = "a.wav") -> Prediction:
    return Prediction(name, start_s, end_s, ((label, score),), mean=score)


def chosen(predictions: list[Prediction], per_label: int) -> list[tuple[str, float]]:
    choice = ClipChoice(per_label)
    for prediction in predictions:
        choice.add(prediction)
    return [(found.labels[0], found.score) for found in choice.events()]


def test_the_best_and_the_lowest_of_each_label() -> None:
    dogs = [event("dog", score / 100, start_s=at, end_s=at + 1) for at, score in enumerate((70, 90, 50, 80, 60, 95))]
    cats = [event("cat", 0.5, name="b.wav")]
    assert chosen([*dogs, *cats], 3) == [("dog", 0.9), ("dog", 0.5), ("dog", 0.95), ("cat", 0.5)]
    assert chosen([*dogs, *cats], 1) == [("dog", 0.95), ("cat", 0.5)]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 5)), max_size=30), st.integers(1, 8))
def test_as_many_as_there_are_up_to_the_number(drawn: list[tuple[str, int]], per_label: int) -> None:
    predictions = [event(label, score / 5, start_s=at) for at, (label, score) in enumerate(drawn)]
    found = chosen(predictions, per_label)
    for label in "ab":
        scores = sorted((score / 5 for name, score in drawn if name == label), reverse=True)
        kept = sorted((score for name, score in found if name == label), reverse=True)
        best = per_label - per_label // 2
        lowest = [] if per_label // 2 == 0 else scores[best:][-(per_label // 2) :]
        assert kept == scores[:best] + lowest


def test_the_order_of_the_events_is_kept() -> None:
    predictions = [event("ab"[at % 2], at % 5 / 5, start_s=at, name=f"{at // 4}.wav") for at in range(12)]
    assert chosen(predictions, 20) == [(one.labels[0][0], one.labels[0][1]) for one in predictions]


def test_without_a_label_there_is_no_clip() -> None:
    assert chosen([event(UNKNOWN, 0.9), event("dog", 0.6)], 4) == [("dog", 0.6)]


def test_a_clip_has_the_labels_of_the_events_in_it() -> None:
    """The bird sings in half of the rain, the frog calls in a tenth of it: but the frog's own clip is full of rain."""
    events = [
        event("rain", 0.9, 0, 10),
        event("bird", 0.8, 5, 15),
        event("frog", 0.7, 9.5, 10.5),
        event("dog", 0.6, 10, 11),
    ]
    choice = ClipChoice(10)
    for one in [*events, event("rain", 0.9, 0, 10, name="b.wav")]:
        choice.add(one)
    labels = {(found.sound, found.labels[0]): found.labels for found in choice.events()}
    assert labels == {
        ("a.wav", "rain"): ("rain", "bird", "frog"),
        ("a.wav", "bird"): ("bird", "rain", "frog", "dog"),
        ("a.wav", "frog"): ("frog", "rain", "bird", "dog"),
        ("a.wav", "dog"): ("dog", "bird", "frog"),
        ("b.wav", "rain"): ("rain",),
    }


def test_a_whole_sound_has_all_labels_that_it_was_given() -> None:
    choice = ClipChoice(2)
    choice.add(Prediction("a.wav", 0, 4, (("rain", 0.9), ("bird", 0.7)), whole=True))
    assert [found.labels for found in choice.events()] == [("rain", "bird")]


def test_memory_does_not_grow_with_the_events() -> None:
    choice = ClipChoice(4)
    for at in range(2000):
        choice.add(event("dog", (at * 7919 % 1000) / 1000, name=f"{at}.wav"))
    held = itertools.chain.from_iterable((*choice._best.values(), *choice._lowest.values()))
    assert len(list(held)) <= 4
