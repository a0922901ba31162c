"""Folds are made of what can be read, and equal content stays on one side."""

from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from counted_clips import counted

from audiosurvey.data.dataset import DatasetConfig
from audiosurvey.data.division import divided
from audiosurvey.data.sounds import Sounds, prepare_sounds
from audiosurvey.data.splits.folds import make_split
from audiosurvey.data.store.store import Skipped
from audiosurvey.data.table import Clip, Table
from audiosurvey.errors import UserError

RATE = 8000


def wave(seed: int) -> np.ndarray:
    return 0.3 * np.random.default_rng(seed).standard_normal(RATE // 4).clip(-3, 3)


def write(path: Path, seed: int, **how: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, wave(seed), RATE, **how)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of ten different sounds each."""
    for n in range(20):
        write(tmp_path / "ab"[n % 2] / f"{n:02}.wav", n)
    return tmp_path


def sounds_in(root: Path, **options: Any) -> Sounds:
    given = {"name": "folder", "root": root} | options
    return prepare_sounds(DatasetConfig(**given), RATE)


def as_csv(root: Path, **columns: Callable[[int], Any]) -> Path:
    """A table of the files in `root`: further columns are functions of the row's number."""
    files = sorted(path.relative_to(root).as_posix() for path in root.glob("*/*"))
    rows = [",".join(["path", "label", *columns])]
    for n, file in enumerate(files):
        rows.append(",".join([file, file[0], *(str(column(n)) for column in columns.values())]))
    (root / "table.csv").write_text("\n".join(rows), encoding="utf-8")
    return root


def folds(sounds: Sounds) -> dict[str, int | None]:
    return {clip.id: clip.fold for clip in sounds.table.clips}


def test_copies_of_a_file_are_dealt_to_one_fold(folder: Path) -> None:
    for path in sorted(folder.glob("*/*.wav")):
        path.with_name(f"copy of {path.name}").write_bytes(path.read_bytes())
    sounds = sounds_in(folder)
    where = folds(sounds)
    assert all(where[f"{name[0]}/copy of {name[2:]}"] == fold for name, fold in where.items() if "copy" not in name)
    for fold in sounds.table.folds:
        split = make_split(sounds.table, fold, "validation")
        digests = [{sounds.store.digest(c.id) for c in side} for side in (split.train, split.validation, split.test)]
        assert not digests[0] & digests[2]
        assert not digests[1] & (digests[0] | digests[2])
    assert any("40 clips have the same content as another clip" in note for note in sounds.table.notes)


def test_the_same_samples_in_another_format_or_at_another_level_are_copies(folder: Path) -> None:
    files = sorted(folder.glob("a/*.wav"))
    for path in files[:5]:
        soundfile.write(path.with_suffix(".flac"), soundfile.read(path)[0], RATE)
    for path in files[5:]:
        soundfile.write(path.with_name(f"soft-{path.name}"), 0.25 * soundfile.read(path)[0], RATE, subtype="FLOAT")
    where = folds(sounds_in(folder))
    assert len(where) == 30
    for path in files[:5]:
        assert where[f"a/{path.stem}.flac"] == where[f"a/{path.name}"]
    for path in files[5:]:
        assert where[f"a/soft-{path.name}"] == where[f"a/{path.name}"]


def test_silent_clips_are_not_one_recording(folder: Path) -> None:
    for n in range(8):
        soundfile.write(folder / "a" / f"silent-{n}.wav", np.zeros(1000 + n), RATE)
        soundfile.write(folder / "a" / f"silent-{n}.flac", np.zeros(1000 + n), RATE)
    sounds = sounds_in(folder)
    assert not sounds.table.recordings


def test_a_file_under_two_labels_is_named_and_kept_on_one_side(folder: Path) -> None:
    (folder / "b" / "same.wav").write_bytes((folder / "a" / "00.wav").read_bytes())
    sounds = sounds_in(folder)
    assert folds(sounds)["b/same.wav"] == folds(sounds)["a/00.wav"]
    (note,) = [note for note in sounds.table.notes if "two labels" in note]
    assert "a/00.wav (a) = b/same.wav (b)" in note


def test_copies_on_both_sides_of_given_folds_are_refused(folder: Path) -> None:
    (folder / "a" / "copy.wav").write_bytes((folder / "a" / "00.wav").read_bytes())
    root = as_csv(folder, fold=lambda n: 2 if n == 10 else n % 2 + 1)
    table = sounds_in(root, name="csv").table
    with pytest.raises(UserError, match="1 source recordings are on both sides") as caught:
        make_split(table, 1, "last")
    assert caught.value.lines[1] == "equal content: train: a/copy.wav; test: a/00.wav"
    assert make_split(table, 1, "last", allow_leakage=True).leaking


def test_copies_in_one_given_fold_are_left_alone(folder: Path) -> None:
    (folder / "a" / "copy.wav").write_bytes((folder / "a" / "00.wav").read_bytes())
    root = as_csv(folder, split=lambda n: "test" if n % 10 < 2 else "train")
    table = sounds_in(root, name="csv").table
    assert {clip.id: clip.side for clip in table.clips}["a/copy.wav"] == "test"
    assert make_split(table, 1, "last").leaking == ()


def test_folds_are_made_of_the_clips_that_can_be_read(folder: Path) -> None:
    for n in range(20, 45):
        write(folder / "a" / f"{n}.wav", n).write_bytes(b"no sound")
    counts: dict[int | None, Counter[int]] = defaultdict(Counter)
    for clip in sounds_in(folder).table.clips:
        counts[clip.fold][clip.labels[0]] += 1
    assert all(found == {0: 2, 1: 2} for found in counts.values())
    assert len(counts) == 5


def test_folds_and_hash_do_not_depend_on_the_names_of_copies_or_the_rate(folder: Path) -> None:
    (folder / "a" / "copy.wav").write_bytes((folder / "a" / "00.wav").read_bytes())
    config = DatasetConfig(name="folder", root=folder)
    one, other = prepare_sounds(config, RATE), prepare_sounds(config, 4000)
    assert one.table.clips == other.table.clips
    assert one.store.hash == other.store.hash


@pytest.mark.parametrize("kind", ["unreadable", "missing"])
@pytest.mark.parametrize("column", ["none", "fold", "split"])
def test_a_class_without_a_readable_clip_is_refused(folder: Path, column: str, kind: str) -> None:
    for n in range(3):
        write(folder / "c" / f"{n}.wav", 100 + n).write_bytes(b"no sound")
    columns = {"fold": lambda n: n % 2 + 1, "split": lambda n: ("train", "test")[n % 2]}
    root = as_csv(folder, **({} if column == "none" else {column: columns[column]}))
    if kind == "missing":
        for path in (folder / "c").iterdir():
            path.unlink()
    with pytest.raises(UserError, match=r"class 'c': 3 of its 3 clips cannot be read, none is left.*exclude") as caught:
        sounds_in(root, name="csv")
    assert [line.split(":")[0].strip() for line in caught.value.lines[1:]] == ["c/0.wav", "c/1.wav", "c/2.wav"]
    kept = sounds_in(root, name="csv", exclude_classes=["c"])
    assert kept.table.classes == ("a", "b")


def test_a_class_left_on_one_side_by_unreadable_files_is_refused(folder: Path) -> None:
    for n in range(4):
        write(folder / "c" / f"{n}.wav", 100 + n)
    root = as_csv(folder, fold=lambda n: n % 2 + 1)
    for n in (0, 2):
        (folder / "c" / f"{n}.wav").write_bytes(b"no sound")
    with pytest.raises(UserError, match="class 'c': 2 of its 4 clips cannot be read, the 2 left cannot be both"):
        sounds_in(root, name="csv")


def test_a_model_is_scored_on_what_can_be_read_of_a_class(folder: Path) -> None:
    write(folder / "c" / "0.wav", 100).write_bytes(b"no sound")
    sounds = prepare_sounds(DatasetConfig(name="folder", root=folder), RATE, divide=False)
    assert len(sounds.table.clips) == 20
    assert [bad.id for bad in sounds.store.skipped] == ["c/0.wav"]


def test_classes_that_given_folds_or_sides_leave_untrained_are_told(folder: Path) -> None:
    as_csv(folder, fold=lambda n: 1 + n % 2 if n < 10 else 1)
    note = sounds_in(folder, name="csv").table.notes[-1]
    assert note == "classes in one fold alone, where they are tested without being trained: b (fold 1)"
    as_csv(folder, split=lambda n: ("train", "test")[n % 2] if n < 10 else "train")
    note = sounds_in(folder, name="csv").table.notes[-1]
    assert note == "classes without a clip marked 'test', which are never tested: b"


class Different:
    """The contents of clips that all differ; one was skipped."""

    skipped = (Skipped("gone", "the file is empty"),)

    def digest(self, clip_id: str) -> str:
        return clip_id

    def samples_digest(self, clip_id: str) -> str | None:
        return clip_id


@pytest.mark.parametrize("folded", [False, True])
def test_clips_are_not_visited_for_each_class(folded: bool) -> None:
    passes = []
    for classes in (3, 30):
        clips = [
            Clip(f"{label}-{n}", Path("x"), (label,), n % 2 + 1 if folded else None)
            for label in range(classes)
            for n in range(4)
        ]
        gone = Clip("gone", Path("x"), (0,), 1 if folded else None)
        names = tuple(f"{label}" for label in range(classes))
        whole, every = counted(Table("own", Path(), names, (*clips, gone)))
        usable, left = counted(Table("own", Path(), names, tuple(clips)))
        assert len(divided(whole, usable, Different(), 2).folds) == 2
        passes.append((every.passes, left.passes))
    assert passes[0] == passes[1]
