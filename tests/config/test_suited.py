from dataclasses import replace

import pytest

from audiosurvey.config.suited import suited_epochs, suited_values, suited_window_s, suited_windows, uneven
from audiosurvey.data.profile import DataProfile

SEEN = DataProfile(
    clips=1000,
    counts={"a": 500, "b": 500},
    recordings={"a": 500, "b": 500},
    multi_label=False,
    divided=False,
    folds=0,
    train_share=0.0,
    seconds=(5.0,) * 100,
    rates_hz=(44_100,) * 100,
    cut=False,
    source_pattern=None,
)


def values(seen: DataProfile) -> dict[str, object]:
    return {".".join(key): choice.value for key, choice in suited_values(seen).items()}


@pytest.mark.parametrize(
    ("seconds", "window_s"),
    [
        ([0.4] * 99 + [3.0], 0.4),
        ([0.41] * 100, 0.45),
        ([1.0] * 90 + [8.0] * 10, 2.0),
        ([2.31] * 100, 2.4),
        ([5.0] * 100, 5.0),
        ([5.0004] * 100, 5.01),
        ([5.2] * 100, 5.5),
        ([9.0] * 50 + [40.0] * 51, 5.0),
        ([60.0] * 10, 5.0),
        ([0.05] * 10, 0.25),
    ],
)
def test_windows_hold_most_clips(seconds: list[float], window_s: float):
    assert suited_window_s(seconds) == window_s


@pytest.mark.parametrize(
    ("clips", "epochs"), [(19, 300), (96, 190), (160, 110), (320, 100), (2000, 100), (8000, 40), (1_000_000, 10)]
)
def test_epochs_are_chosen_by_steps(clips: int, epochs: int):
    assert suited_epochs(clips, 16) == epochs


def test_usual_data_gets_the_usual_values():
    found = values(SEEN)
    assert found == {"dataset.clip_seconds": 5, "dataset.num_folds": 5, "sample_rate": 32_000, "train.epochs": 100}


def test_short_clips_of_a_low_rate():
    found = values(replace(SEEN, seconds=(0.4,) * 10, rates_hz=(8000,) * 10))
    assert (found["dataset.clip_seconds"], found["sample_rate"]) == (0.4, 8000)
    assert found["augmentation.time_masking.tmp"] == 5
    assert found["augmentation.low_pass.max_hz"] == 4000


def test_few_clips_get_small_batches_and_many_epochs():
    found = values(replace(SEEN, clips=24))
    assert (found["train.batch_size"], found["train.epochs"]) == (8, 300)
    assert suited_values(replace(SEEN, clips=24), batch_size=4)["train", "epochs"].value == 220


@pytest.mark.parametrize(("fewest", "folds"), [(6, 5), (4, 4), (2, 3)])
def test_no_more_folds_than_clips_of_a_class(fewest: int, folds: int):
    found = suited_values(replace(SEEN, recordings={"a": 500, "b": fewest}))["dataset", "num_folds"]
    assert found.value == folds
    assert f"only {fewest} recordings" in found.reason or fewest >= 5


def test_folds_of_the_data_are_left_alone():
    found = values(replace(SEEN, divided=True, folds=5, train_share=0.8))
    assert "dataset.num_folds" not in found
    assert found["train.epochs"] == 100


def test_uneven_classes_are_sampled_evenly():
    seen = replace(SEEN, counts={"a": 382, "b": 6})
    assert values(seen)["train.sampling"] == "balanced"
    assert "382 and 6" in suited_values(seen)["train", "sampling"].reason
    assert "train.sampling" not in values(replace(seen, multi_label=True))
    assert uneven({"a": 8, "b": 3}) is None
    assert uneven({"a": 9, "b": 3, "c": 0}) == 3


def test_windows_of_recordings_by_their_events():
    found = suited_windows([0.5] * 19 + [1.4])
    assert [choice.value for choice in found.values()] == [1, 0.5]
    assert [choice.value for choice in suited_windows([30.0]).values()] == [10, 5]
    assert "dataset.clip_seconds" not in values(replace(SEEN, cut=True))
