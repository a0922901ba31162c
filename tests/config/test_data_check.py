"""What `check` sees of the data of a config: what is there, what is missing, and where it says so."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiosurvey.config.data_check import DataCheck, check_data
from audiosurvey.config.loader import load_text
from audiosurvey.errors import UserError


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def see(text: str) -> DataCheck:
    return check_data(load_text(text, "x.yaml"))


def refused(text: str) -> tuple[str, ...]:
    with pytest.raises(UserError) as caught:
        see(text)
    return caught.value.lines


def sound(path: str, seconds: float = 1.0) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros(round(8000 * seconds), np.float32), 8000)


def test_own_data_is_counted(here: Path):
    for n in range(6):
        sound(f"sounds/dog/{n}.wav")
        sound(f"sounds/cat/{n}.wav")
    seen = see("dataset:\n  name: folder\n  root: sounds\n  clip_seconds: 1\n")
    assert seen.verdict == "folder, 12 clips, 2 classes, 5 folds"
    assert len(seen.notes) == 1
    assert "5 stratified folds were made" in seen.notes[0]
    # A network that hears 5 s at once hears mostly padding here.
    (_, short) = see("dataset: {name: folder, root: sounds}\n").notes
    assert short == (
        "the clips that were opened are at most 1 s long, but a window has 5 s; set dataset.clip_seconds to "
        "about the length of a clip"
    )


def test_a_root_that_was_named_and_is_not_there():
    assert refused("dataset:\n  name: folder\n  root: nowhere\n") == (
        "x.yaml:3: dataset.root: nowhere: no such folder (relative to the working directory)",
    )
    (line,) = refused("dataset:\n  name: esc50\n  root: nowhere\n")
    assert line.startswith("x.yaml:3: dataset.root: nowhere: no such folder")
    assert line.endswith("leave it out and run 'audiosurvey download esc50'")
    (line,) = refused("pretrain:\n  dataset: {name: urbansound8k, root: nowhere}\n")
    assert line.startswith("x.yaml:2: pretrain.dataset.root: nowhere: no such folder")
    Path("file").touch()
    (line,) = refused("dataset: {name: folder, root: file}\n")
    assert line == "x.yaml:1: dataset.root: file: is a file; expected a folder"


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("", "data/ESC-50: not there yet; run 'audiosurvey download esc50'"),
        ("dataset: {name: esc50, root: data/ESC-50}", "data/ESC-50: not there yet"),
        ("dataset: {name: urbansound8k}", "data/UrbanSound8K: not there yet"),
        ("dataset: {name: toy, root: made/later}", "made/later: not there yet; it is generated when needed"),
    ],
)
def test_the_usual_place_of_a_built_in_set_may_be_missing(text: str, note: str):
    seen = see(text + "\n")
    assert seen.notes[0].startswith(note)
    assert seen.verdict.endswith("which is not there yet")
    assert not Path("data").exists()
    assert not Path("made").exists()


def test_pretraining_is_looked_at_too(here: Path):
    seen = see("dataset: {name: toy}\npretrain: {dataset: {name: urbansound8k}}\n")
    assert seen.verdict == "toy, which is not there yet; pretraining on urbansound8k, which is not there yet"
    assert seen.notes[1].startswith("pretraining: data/UrbanSound8K: not there yet")


def test_faults_of_the_data_have_their_place(here: Path):
    Path("empty").mkdir()
    (line,) = refused("dataset:\n  name: folder\n  root: empty\n")
    assert line == "x.yaml:3: dataset.root: empty: no audio files found; expected one folder per class"
    (line,) = refused("dataset:\n  name: csv\n  table: no.csv\n")
    assert line.startswith("x.yaml:3: dataset.table: no.csv: not found")
    (line,) = refused("dataset:\n  name: csv\n  root: empty\n")
    assert line.startswith("x.yaml:1: dataset.table: empty: expected one CSV file, found: none")
    Path("t.csv").write_text("path,label,fold\na.wav,x,one\nb.wav,y,2\n")
    assert refused("dataset: {name: csv, table: t.csv}\n") == (
        "t.csv:2: fold: 'one' is not a number; expected 1, 2, ...",
    )
    sound("sounds/dog/1.wav")
    (line,) = refused("dataset:\n  name: folder\n  root: sounds\n")
    assert line.startswith("x.yaml:3: dataset.root: sounds: 'dog' is the only class")
    sound("sounds/cat/1.wav")
    (line,) = refused("dataset:\n  name: folder\n  root: sounds\n  num_folds: 4\n")
    assert line.startswith("x.yaml:4: dataset.num_folds: 4 folds of 2 clips")


def test_files_that_are_no_sounds(here: Path):
    for n in range(3):
        sound(f"sounds/dog/{n}.wav")
        Path(f"sounds/cat/{n}.wav").parent.mkdir(exist_ok=True)
        Path(f"sounds/cat/{n}.wav").write_text("not a sound")
    text = "dataset: {name: folder, root: sounds, num_folds: 2, clip_seconds: 1}\n"
    told = see(text).notes[-1]
    assert told.startswith("3 of 6 files that were opened cannot be read, such as cat/0.wav: ")
    for n in range(3):
        Path(f"sounds/dog/{n}.wav").write_text("not a sound")
    (line,) = refused(text)
    assert line.startswith("sounds: 6 of 6 files that were opened cannot be read")


def test_files_of_all_classes_are_opened(here: Path):
    for n in range(20):
        sound(f"sounds/cat/{n}.wav")
        Path(f"sounds/dog/{n}.wav").parent.mkdir(exist_ok=True)
        Path(f"sounds/dog/{n}.wav").write_text("not a sound")
    told = see("dataset: {name: folder, root: sounds, clip_seconds: 1}\n").notes[-1]
    assert told.startswith("10 of 20 files that were opened cannot be read")
