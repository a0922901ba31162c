"""What is labelled already."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import audiosurvey
from audiosurvey.artefact.folder import Model
from audiosurvey.data.audio.content_hash import fingerprints
from audiosurvey.data.splits.provenance import Provenance, TrainedClip
from audiosurvey.embeddings.labelled import labelled_stretches
from audiosurvey.errors import UserError


def digest(path: Path) -> str:
    found = fingerprints([path])[path]
    assert found is not None
    return found.digest


def test_training_clips_are_labelled_wherever_they_lie(model: Model, tones: Path, tmp_path: Path):
    labelled = labelled_stretches(model, [])
    known = {path for path in tones.rglob("*.wav") if labelled.overlaps(digest(path), 0, 0.5)}
    assert {str(path.relative_to(tones)) for path in known} == set(model.heard.clips)
    assert len(known) == 16
    shutil.copy(min(known), tmp_path / "copy.wav")
    assert labelled.overlaps(digest(tmp_path / "copy.wav"), 0, 0.5)


def test_of_a_long_recording_only_the_stretches_are(model: Model, monkeypatch: pytest.MonkeyPatch):
    clips = {"a": TrainedClip("abc#1.500-3.000"), "b": TrainedClip("abc#9.000-end"), "c": TrainedClip("def")}
    monkeypatch.setattr(model, "heard", Provenance(clips))
    labelled = labelled_stretches(model, [])
    assert [labelled.overlaps("abc", at, at + 1) for at in (0, 1, 2, 3, 8, 9, 99)] == [
        *(False, True, True, False, False, True, True)
    ]
    assert labelled.overlaps("def", 50, 51)
    assert not labelled.overlaps("other", 0, 1)


def test_rows_with_a_label_are_labelled(
    model: Model, write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    a, b = write("a.wav", 310, 320), write("b.wav", 330)
    (tmp_path / "done.csv").write_text(
        "path,start,end,label,score\na.wav,0,0.5,low,0.3\na.wav,0.5,1.0,,0.2\nb.wav,,,,0.1\nlost.wav,,,low,0.1\n",
        encoding="utf-8",
    )
    labelled = labelled_stretches(model, [str(tmp_path / "done.csv")])
    assert [labelled.overlaps(digest(a), at, at + 0.5) for at in (0, 0.5)] == [True, False]
    assert not labelled.overlaps(digest(b), 0, 0.5)
    # Where a clip may have no label, an empty cell says so.
    monkeypatch.setattr(model, "multi_label", True)
    assert labelled_stretches(model, [str(tmp_path / "done.csv")]).overlaps(digest(b), 0, 0.5)


def test_a_table_without_its_files_is_refused(model: Model, tmp_path: Path):
    (tmp_path / "done.csv").write_text("path,label\nlost.wav,low\ngone.wav,low\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"done\.csv: none of its 2 files with a label can be read"):
        labelled_stretches(model, [str(tmp_path / "done.csv")])


def test_what_is_no_table_of_labels_is_refused(model: Model, write: Callable[..., Path], tmp_path: Path):
    path = write("a.wav", 310)
    for name in ("labels.txt", "labels.xlsx"):
        (tmp_path / name).write_text("path,label\na.wav,low\n", encoding="utf-8")
        with pytest.raises(UserError, match=r"expected a table \(\.csv or \.tsv\), a folder of sounds"):
            labelled_stretches(model, [str(tmp_path / name)])
    (tmp_path / "list.csv").write_text("path,note\na.wav,x\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"list\.csv:1: no column label; there are path, note"):
        labelled_stretches(model, [str(tmp_path / "list.csv")])
    assert labelled_stretches(model, [str(path)]).overlaps(digest(path), 0, 0.5)


@pytest.mark.parametrize("multi_label", [False, True])
def test_marks_of_a_missing_value_are_no_label(
    model: Model, write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, multi_label: bool
):
    path = write("a.wav", 310)
    (tmp_path / "done.csv").write_text("path,label\na.wav,NA\n", encoding="utf-8")
    monkeypatch.setattr(model, "multi_label", multi_label)
    assert not labelled_stretches(model, [str(tmp_path / "done.csv")]).overlaps(digest(path), 0, 0.5)


def test_files_that_are_not_there_are_told(model: Model, write: Callable[..., Path], tmp_path: Path):
    write("a.wav", 310)
    (tmp_path / "done.csv").write_text("path,label\na.wav,low\ngone.wav,low\n", encoding="utf-8")
    table = tmp_path / "done.csv"
    note = f"1 of 2 files of {table} could not be opened, such as {tmp_path / 'gone.wav'}"
    assert labelled_stretches(model, [str(table)]).notes == (note,)
    assert audiosurvey.suggest(model, tmp_path / "a.wav", labelled=table).notes == (note,)


def test_all_sounds_of_a_folder_are_labelled(model: Model, write: Callable[..., Path], tmp_path: Path):
    path = write("new/a.wav", 310)
    assert labelled_stretches(model, [str(tmp_path / "new")]).overlaps(digest(path), 0, 0.5)
    with pytest.raises(UserError, match="none: no such file or folder; expected a table"):
        labelled_stretches(model, ["none"])
