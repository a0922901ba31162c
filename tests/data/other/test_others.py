"""Sounds of no class are read, divided as the clips are, and never share a recording with the other side."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from audiosurvey.data.dataset import DatasetConfig
from audiosurvey.data.other.others import Others
from audiosurvey.data.other.reading import is_made, is_other
from audiosurvey.data.sounds import Sounds, prepare_sounds
from audiosurvey.data.splits.folds import Split, make_split
from audiosurvey.errors import UserError

RATE = 8000


def write(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.3 * np.random.default_rng(seed).standard_normal(RATE // 4).clip(-3, 3), RATE)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of ten sounds each in `clips`, and fifteen other sounds in `other`."""
    for n in range(20):
        write(tmp_path / "clips" / "ab"[n % 2] / f"{n:02}.wav", n)
    for n in range(15):
        write(tmp_path / "other" / f"kind{n % 3}" / f"{n:02}.wav", 100 + n)
    return tmp_path


def sounds_in(folder: Path, other: Any, **options: Any) -> Sounds:
    given = {"name": "folder", "root": folder / "clips", "clip_seconds": 1, "other": other} | options
    return prepare_sounds(DatasetConfig(**given), RATE)


def others_in(folder: Path, other: Any, **options: Any) -> Others:
    found = sounds_in(folder, other, **options).others
    assert found is not None
    return found


def table(folder: Path, text: str, name: str = "other.csv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def recorded(others: Others) -> list[Any]:
    return [clip for clip in others.clips if not is_made(clip.id)]


def test_a_folder_is_searched_and_divided_evenly(folder: Path, tmp_cache: Path) -> None:
    sounds = sounds_in(folder, folder / "other")
    assert sounds.others is not None
    found = recorded(sounds.others)
    assert [clip.id for clip in found][:2] == ["other:kind0/00.wav", "other:kind0/03.wav"]
    counts = [sum(clip.fold == fold for clip in found) for fold in range(1, 6)]
    assert counts == [3] * 5
    made = [clip for clip in sounds.others.clips if is_made(clip.id)]
    kinds = {(clip.fold, clip.id.split("/")[1].split("-")[0]) for clip in made}
    assert len(kinds) == 20, "each kind is made for each fold"
    assert not any(is_other(clip.id) for clip in sounds.table.clips)
    assert "15 sounds of no class, and 40 made ones" in sounds.table.notes


def test_every_fold_trains_on_the_others_of_the_other_folds(folder: Path, tmp_cache: Path) -> None:
    sounds = sounds_in(folder, {"path": folder / "other", "made": 0})
    assert sounds.others is not None
    tested: list[str] = []
    for fold in range(1, 6):
        split = sounds.others.split(make_split(sounds.table, fold, "last"))
        assert not {clip.id for clip in split.train} & {clip.id for clip in split.test}
        assert len(split.train) == 12
        assert split.validation == ()
        tested += [clip.id for clip in split.test]
        of_three = sounds.others.split(make_split(sounds.table, fold, "validation"))
        assert [len(side) for side in (of_three.train, of_three.validation, of_three.test)] == [9, 3, 3]
    assert sorted(tested) == sorted(clip.id for clip in sounds.others.clips)


def test_sounds_of_one_source_stay_together(folder: Path, tmp_cache: Path) -> None:
    rows = "".join(f"other/kind{n % 3}/{n:02}.wav,r{n % 5}\n" for n in range(15))
    path = table(folder, f"path,source\n{rows}")
    folds_of: dict[str | None, set[int | None]] = {}
    for clip in recorded(others_in(folder, path)):
        folds_of.setdefault(clip.source, set()).add(clip.fold)
    assert [len(folds) for folds in folds_of.values()] == [1] * 5
    assert set.union(*folds_of.values()) == {1, 2, 3, 4, 5}


def test_a_recording_of_a_clip_is_in_the_fold_of_the_clip(folder: Path, tmp_cache: Path) -> None:
    rows = [f"clips/{'ab'[n % 2]}/{n:02}.wav,{'ab'[n % 2]},s{n}" for n in range(20)]
    table(folder, "\n".join(["path,label,source", *rows]), "clips.csv")
    path = table(folder, "path,source\nother/kind0/00.wav,s7\nother/kind1/01.wav,s8\n")
    csv = {"name": "csv", "root": folder, "table": folder / "clips.csv"}
    sounds = sounds_in(folder, path, **csv)
    assert sounds.others is not None
    fold_of = {clip.source: clip.fold for clip in sounds.table.clips}
    assert [clip.fold for clip in recorded(sounds.others)] == [fold_of["s7"], fold_of["s8"]]


def test_given_folds_hold_and_shared_recordings_do_not_train(folder: Path, tmp_cache: Path) -> None:
    """Source s is in folds 1 and 2: where one of its sounds is tested, the other does not train."""
    path = table(
        folder,
        "path,fold,source\n"
        + "".join(f"other/kind{n % 3}/{n:02}.wav,{n % 5 + 1},{'s' if n < 2 else n}\n" for n in range(15)),
    )
    sounds = sounds_in(folder, {"path": path, "made": 0})
    assert sounds.others is not None
    assert [clip.fold for clip in recorded(sounds.others)] == [n % 5 + 1 for n in range(15)]
    first = sounds.others.split(make_split(sounds.table, 1, "last"))
    assert "other:other/kind0/00.wav" in {clip.id for clip in first.test}
    assert "other:other/kind1/01.wav" not in {clip.id for clip in first.train}
    assert len(first.train) == 11
    third = sounds.others.split(make_split(sounds.table, 3, "last"))
    assert len(third.train) == 12


def test_content_of_a_clip_is_left_out(folder: Path, tmp_cache: Path) -> None:
    shutil.copy(folder / "clips" / "a" / "00.wav", folder / "other" / "copy.wav")
    sounds = sounds_in(folder, folder / "other")
    assert sounds.others is not None
    assert "other:copy.wav" not in {clip.id for clip in sounds.others.clips}
    assert "dataset.other: 1 sound left out, with the content of clips of the classes" in sounds.table.notes
    with pytest.raises(UserError, match="all 20 sounds are clips of the data set"):
        sounds_in(folder, {"path": folder / "clips", "made": 0})


def test_stretches_beside_the_clips_of_a_recording_are_others_and_those_over_clips_are_not(
    folder: Path, tmp_cache: Path
) -> None:
    soundfile.write(folder / "long.wav", np.random.default_rng(0).standard_normal(RATE * 6) * 0.1, RATE)
    rows = [f"clips/{'ab'[n % 2]}/{n:02}.wav,{'ab'[n % 2]},," for n in range(20)]
    table(folder, "\n".join(["path,label,start,end", *rows, "long.wav,a,0,2"]), "clips.csv")
    path = table(folder, "path,start,end\nlong.wav,1,3\nlong.wav,3,5\n")
    csv = {"name": "csv", "root": folder, "table": folder / "clips.csv"}
    sounds = sounds_in(folder, path, **csv)
    assert sounds.others is not None
    (kept,) = recorded(sounds.others)
    assert (kept.start_s, kept.end_s) == (3.0, 5.0)
    (clip,) = (clip for clip in sounds.table.clips if clip.path.name == "long.wav")
    assert kept.fold == clip.fold


def test_sides_are_followed(folder: Path, tmp_cache: Path) -> None:
    sides = ["train", "train", "train", "val", "test"]
    rows = [f"clips/{'ab'[n % 2]}/{n:02}.wav,{'ab'[n % 2]},{sides[n // 2 % 5]}" for n in range(20)]
    table(folder, "\n".join(["path,label,split", *rows]), "clips.csv")
    csv = {"name": "csv", "root": folder, "table": folder / "clips.csv"}
    sounds = sounds_in(folder, folder / "other", **csv)
    assert sounds.others is not None
    split = sounds.others.split(make_split(sounds.table, 1, "validation"))
    assert [len([c for c in side if not is_made(c.id)]) for side in (split.train, split.validation, split.test)] == [
        9,
        3,
        3,
    ]
    path = table(folder, "path,fold\nother/kind0/00.wav,1\n")
    with pytest.raises(UserError, match="its table gives folds, but the data set has train and test sides"):
        sounds_in(folder, path, **csv)


def test_a_trial_without_its_test_fold_trains_on_no_other_of_that_fold(folder: Path, tmp_cache: Path) -> None:
    sounds = sounds_in(folder, {"path": folder / "other", "made": 0})
    assert sounds.others is not None
    split = make_split(sounds.table, 2, "validation")
    trial = sounds.others.split(Split(2, split.train, (), split.validation))
    assert {clip.fold for clip in trial.test} == {3}
    assert {clip.fold for clip in trial.train} == {1, 4, 5}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("path,fold\nother/kind0/00.wav,7\n", "its table has fold 7, but the folds of the data set are 1, 2, 3, 4, 5"),
        ("path,split\nother/kind0/00.wav,test\n", "its table gives sides, but the data set has folds"),
        ("path\nnone.wav\n", "none of its files exist, such as .*none.wav"),
        ("file\nother/kind0/00.wav\n", r"no column path; there are file; name them in .*perhaps \{path: file\}"),
    ],
)
def test_faults_of_a_table(folder: Path, tmp_cache: Path, rows: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        sounds_in(folder, table(folder, rows))
    assert len(error.value.lines) == 1


def test_other_faults(folder: Path, tmp_cache: Path) -> None:
    with pytest.raises(UserError, match=r"dataset.other: .*/missing: no such folder or table"):
        sounds_in(folder, folder / "missing")
    (folder / "empty").mkdir()
    with pytest.raises(UserError, match=r"dataset.other: .*/empty: no sound files in this folder"):
        sounds_in(folder, folder / "empty")
    (folder / "other" / "bad.wav").write_bytes(b"no sound")
    sounds = sounds_in(folder, folder / "other")
    assert any("1 sound left out that cannot be read, first other:bad.wav" in note for note in sounds.table.notes)
    assert sounds.store.skipped == ()


def test_the_hash_of_the_data_counts_them(folder: Path, tmp_cache: Path) -> None:
    without, having = sounds_in(folder, None), sounds_in(folder, folder / "other")
    assert without.store.hash != having.store.hash
    assert [clip.fold for clip in without.table.clips] == [clip.fold for clip in having.table.clips]
    write(folder / "other" / "kind0" / "00.wav", 999)
    assert sounds_in(folder, folder / "other").store.hash != having.store.hash
