"""Names of clips: safe on every file system, different from each other, and sorted as time goes."""

from pathlib import Path, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiosurvey.prediction.clip_choice import ChosenEvent
from audiosurvey.prediction.clip_names import ClipNames


def name(label: str, start_s: float = 25.0, score: float = 0.98, path: str = "/x/morning.flac") -> str:
    names = ClipNames([Path(path)])
    return names.name(Path(path), ChosenEvent(path, start_s, start_s + 1, (label,), score))


@pytest.mark.parametrize(
    ("label", "part"),
    [
        ("dog", "dog"),
        ("dog/barks\\loud", "dog_barks_loud"),
        ("..", "_"),
        ('a:b*?<c>|"d"', "a_b_c_d_"),
        ("rain, heavy", "rain,_heavy"),
        ("\u0434\u044f\u0442\u0435\u043b", "\u0434\u044f\u0442\u0435\u043b"),
        ("cafe\u0301", "caf\u00e9"),
        ("a\tb\nc\0", "a_b_c_"),
        ("\udce9", "_xe9"),
        ("", "_"),
    ],
)
def test_labels_in_names(label: str, part: str) -> None:
    assert name(label) == f"morning_00h00m25.0s_{part}_0.98"


def test_time() -> None:
    assert name("a", 36_061.26, 1.0) == "morning_10h01m01.3s_a_1.00"


def test_recordings_of_one_name_are_told_by_their_folders() -> None:
    paths = [Path("/x/site1/rec.wav"), Path("/x/site2/rec.wav"), Path("/x/site2/rec.flac")]
    names = ClipNames(paths)
    found = [names.name(path, ChosenEvent("", 0, 1, ("Dog",), 0.5)) for path in paths]
    found.append(names.name(paths[2], ChosenEvent("", 0, 1, ("dog",), 0.5)))
    rest = "rec_00h00m00.0s"
    assert found == [
        f"site1_{rest}_Dog_0.50",
        f"site2_{rest}_Dog_0.50",
        f"site2_{rest}_Dog_0.50-2",
        f"site2_{rest}_dog_0.50-3",
    ]


@given(st.text(), st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_any_name_can_be_a_file(label: str, recording: str) -> None:
    found = name(label, path=f"/x/{recording}.wav")
    assert len(f"{found}.wav".encode()) < 255
    assert not PureWindowsPath(found).parent.name
    assert not set(found) & set('<>:"/\\|?*\0\n\t ')
    assert not found.startswith(".")
