"""Names that look like cuts of one recording are noticed; those of other naming schemes are not."""

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from audiosurvey.data.dataset import DatasetConfig, load_table
from audiosurvey.data.splits.cut_names import PATTERN, find_cut_names
from audiosurvey.data.table import Clip, Table


def table(names: Iterable[str], kind: str = "folder", **facts: object) -> Table:
    """`class/name.wav` for each clip."""
    names = list(names)
    classes = tuple(sorted({name.split("/")[0] for name in names}))
    clips = [Clip(name, Path(name), (classes.index(name.split("/")[0]),), **facts) for name in names]
    return Table(kind, Path("sounds"), classes, tuple(clips))


def cuts(*recordings: str, count: int = 5) -> list[str]:
    """`count` cuts of each recording, `class/name`."""
    return [f"{name}_{number:04}.wav" for name in recordings for number in range(1, count + 1)]


SITES = cuts("bird/north", "bird/south", "rain/north2", "rain/west")


def test_cuts_are_noticed_and_the_pattern_finds_their_recordings() -> None:
    found = find_cut_names(table(SITES))
    assert found is not None
    assert (found.clips, found.recordings) == (20, 4)
    assert str(found) == (
        "the names of 20 clips look like cuts of 4 recordings (bird/north_0001.wav, bird/north_0002.wav), which may be "
        f"on both sides of a split; if they are, set dataset.source_pattern: '{PATTERN}'"
    )
    matches = [re.search(PATTERN, name.split("/")[1]) for name in SITES]
    assert {match[1] for match in matches if match} == {"north", "south", "north2", "west"}


def test_the_pattern_works_as_it_is_printed(tmp_path: Path) -> None:
    for name in SITES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    config = DatasetConfig(name="folder", root=tmp_path)
    assert find_cut_names(load_table(config, divide=False)) is not None
    sourced = load_table(config.model_copy(update={"source_pattern": PATTERN}), divide=False)
    assert {clip.source for clip in sourced.clips} == {"north", "south", "north2", "west"}
    assert find_cut_names(sourced) is None


def test_recordings_may_hold_several_classes_and_other_files_may_be_there() -> None:
    mixed = [f"{'bird' if n % 3 else 'rain'}/site-{site} {n}.flac" for site in "abcd" for n in range(30)]
    assert find_cut_names(table([*mixed, "bird/other.wav", "rain/last one.wav"])) is not None


def test_in_a_table_a_column_is_advised() -> None:
    found = find_cut_names(table(SITES, "csv"))
    assert found is not None
    assert found.mend == "name them in a column `source`"


@pytest.mark.parametrize(
    "names",
    [
        [f"{label}/{n}.wav" for label in ("cat", "dog") for n in range(20)],
        [f"{label}/{label}-{n}.wav" for label in ("cat", "dog") for n in range(20)],
        [f"{label}/audio_{n:04}.wav" for label in ("cat", "dog") for n in range(20)],
        [
            f"{label}/{word}_{n:04}.wav"
            for label, word in (("cat", "tom"), ("dog", "rex"), ("cow", "bea"))
            for n in range(9)
        ],
        [f"{'cat' if n % 2 else 'dog'}/1-{100000 + 37 * n}-{'AB'[n % 4 == 0]}-{n % 2}.wav" for n in range(40)],
        [f"bird/202305{day:02}_{hour:02}0000.wav" for day in range(1, 9) for hour in range(6)]
        + [f"rain/202306{day:02}_{hour:02}0000.wav" for day in range(1, 9) for hour in range(6)],
        [
            f"{label}/2023-{month:02}-{day:02}.wav"
            for label in ("cat", "dog")
            for month in (5, 6, 7)
            for day in range(1, 9)
        ],
        [f"{label}/kitchen_{n}.wav" for label in ("cat", "dog") for n in (3, 48, 171, 900)],
    ],
    ids=["numbers", "class names", "one word", "a word for each class", "ESC-50", "AudioMoth", "dates", "gaps"],
)
def test_other_names_are_left_alone(names: list[str]) -> None:
    assert find_cut_names(table(names)) is None


@pytest.mark.parametrize("facts", [{"source": "x"}, {"fold": 1}, {"side": "train"}])
def test_known_sources_and_folds_are_left_alone(facts: dict[str, object]) -> None:
    assert find_cut_names(table(SITES, "csv", **facts)) is None
