"""The range of a model's training clips, and what is said of sounds that lie outside."""

import json

import pytest

from audiosurvey.artefact.training_range import TrainingRange
from audiosurvey.data.audio.measures import Measures

RANGE = TrainingRange(
    100, level_db=(-40.0, -10.0), bandwidth_hz=(7000.0, 8000.0), seconds=(1.2, 5.0), snr_db=(10.0, 50.0)
)
INSIDE = Measures(seconds=5, level_db=-20, bandwidth_hz=7500, snr_db=30)


@pytest.mark.parametrize(
    ("measures", "notes"),
    [
        (INSIDE, []),
        (Measures(5, -64, 7500, 30), ["24 dB softer than the training clips"]),
        (Measures(5, -85, 7500, 30), ["almost silent: 45 dB softer than the training clips"]),
        (Measures(5, -3, 7500, 30), ["7 dB louder than the training clips"]),
        (Measures(5, -20, 3938, 30), ["band-limited to 3.9 kHz; training clips reach 7 kHz or more"]),
        (Measures(5, -20, 12000, 30), ["reaches 12 kHz; training clips are band-limited to 8 kHz"]),
        (Measures(0.4, -20, 7500, None), ["0.4 s long; training clips lasted 1.2 s or more"]),
        (
            Measures(5, -20, 7500, 2),
            ["noisy: 2 dB between loud and quiet parts; training clips have 10 dB or more"],
        ),
        (
            Measures(5, -20, 7500, 70),
            ["clean: 70 dB between loud and quiet parts; training clips have 50 dB at most"],
        ),
        (Measures(5, None, None, None), ["digital silence"]),
    ],
)
def test_each_figure_outside_is_told(measures, notes):
    assert RANGE.notes(measures) == notes


def test_a_longer_sound_is_cut_into_windows_and_needs_no_note():
    assert RANGE.notes(Measures(8, -20, 7500, 30)) == []


def test_figures_close_to_the_range_are_not_told():
    assert RANGE.notes(Measures(1.195, -42.5, 6400, 5)) == []


def test_a_range_goes_from_the_first_to_the_99th_percentile():
    measures = [Measures(1, -40 + place, 4000, None) for place in range(101)]
    found = TrainingRange.of([*measures, Measures(0.5, None, None, None)], [1.0] * 101 + [2.0])
    assert found.clips == 102
    assert found.level_db == (-39, 59)
    assert found.bandwidth_hz == (4000, 4000)
    assert found.snr_db is None
    assert found.seconds == (1, 1)


def test_sections_of_clips_leave_the_upper_end_to_the_whole_clips():
    assert TrainingRange.of([Measures(1, -20, 4000, None)] * 3, [5.0] * 3).seconds == (1, 5)


def test_a_range_comes_back_from_json_and_others_are_not_known():
    assert TrainingRange.from_json(json.loads(json.dumps(RANGE.as_json()))) == RANGE
    for broken in (None, [], "x"):
        assert TrainingRange.from_json(broken) is None
    assert TrainingRange.from_json({"level_db": ["a", 1], "seconds": [1]}) == TrainingRange(0, None, None, None, None)
