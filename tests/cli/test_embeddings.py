"""The commands similar and suggest."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(finished_run: Path) -> Path:
    return finished_run / "fold-1" / "model"


def test_similar_prints_a_table(command: Command, folder: Path, tones: Path, tmp_path: Path):
    soundfile.write(tmp_path / "quiet.wav", np.zeros(4000), 8000)
    status, out, err = command("similar", folder, tones / "low" / "0.wav", tones, tmp_path, "--number", 3)
    assert status == 0
    head, *rows = out.splitlines()
    assert head.split() == ["similarity", "start", "end", "path"]
    assert [Path(row.split()[-1]).parent.name for row in rows] == ["low"] * 3
    assert f"left out, same content as the query: {tones / 'low' / '0.wav'}\n" in err
    assert f"left out as silent: {tmp_path / 'quiet.wav'}\n" in err


def test_a_part_of_a_recording_as_the_query(command: Command, folder: Path, tmp_path: Path):
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "long.wav", 0.1 * rng.standard_normal(32000), 8000)
    words = [folder, tmp_path / "long.wav", tmp_path / "long.wav", "--start", 1, "--end", 1.5]
    status, out, err = command("similar", *words)
    assert status == 0
    assert str(tmp_path / "long.wav") in out
    assert f"windows that overlap the query were skipped in: {tmp_path / 'long.wav'}\n" in err
    assert "left out" not in err


def test_labelled_files_that_are_gone_are_told(command: Command, folder: Path, tones: Path, tmp_path: Path):
    text = f"path,label\n{tones / 'low' / '0.wav'},low\ngone.wav,low\n"
    (tmp_path / "done.csv").write_text(text, encoding="utf-8")
    status, _, err = command("suggest", folder, tones, "--labelled", tmp_path / "done.csv")
    assert status == 0
    assert f"1 of 2 files of {tmp_path / 'done.csv'} could not be opened" in err


@pytest.mark.parametrize("words", [("similar", "SOUND"), ("suggest",)])
def test_a_table_that_a_pattern_matches_is_not_replaced(
    command: Command, folder: Path, tones: Path, tmp_path: Path, words: tuple[str, ...]
):
    table = tmp_path / "list.csv"
    table.write_text(f"path\n{tones / 'low' / '0.wav'}\n", encoding="utf-8")
    before = table.read_bytes()
    name, *query = (tones / "low" / "1.wav" if word == "SOUND" else word for word in words)
    status, _, err = command(name, folder, *query, tmp_path / "l*.csv", "--output", table, "--force")
    assert status == 2
    assert "is an input of this command" in err
    assert table.read_bytes() == before


def test_similar_writes_files_and_names_what_failed(command: Command, folder: Path, tones: Path, tmp_path: Path):
    (tmp_path / "sounds").mkdir()
    (tmp_path / "sounds" / "broken.wav").write_bytes(b"RIFF")
    words = ["similar", folder, tones / "low" / "0.wav", tmp_path / "sounds", tones, "--also", tones / "low" / "1.wav"]
    status, out, err = command(*words, "--output", tmp_path / "found.csv", "--page", tmp_path / "page.html")
    assert (status, out) == (1, "")
    assert f"wrote {tmp_path / 'found.csv'}\nwrote {tmp_path / 'page.html'}\n" in err
    assert "1 of 25 failed:\n" in err
    assert f"  {tmp_path / 'sounds' / 'broken.wav'}: " in err
    with (tmp_path / "found.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 20
    assert command(*words, "--output", tmp_path / "found.csv")[0] == 2
    assert command(*words, "--output", tmp_path / "found.csv", "--force")[0] == 1


def test_suggest_writes_a_table_to_fill_in(command: Command, folder: Path, tones: Path, tmp_path: Path):
    table = tmp_path / "ask.csv"
    status, out, err = command("suggest", folder, tones, "--number", 5, "--output", table)
    assert (status, out) == (0, "")
    assert f"wrote {table}: 5 clips of 8; fill in the column label\n" in err
    assert "left out as labelled: 16 clips\n" in err
    rows = list(csv.DictReader(table.open(encoding="utf-8", newline="")))
    assert list(rows[0]) == ["path", "label", "suggested", "score"]
    filled = "".join(f"{row['path']},{row['suggested']}\n" for row in rows)
    table.write_text(f"path,label\n{filled}", encoding="utf-8")
    status, out, err = command("suggest", folder, tones, "--labelled", table)
    assert status == 0
    assert len(out.splitlines()) == 1 + 3
    assert "left out as labelled: 21 clips\n" in err
    status, _, err = command("suggest", folder, tones, "--output", table, "--force")
    assert "8 clips of 8" in err
    rows = list(csv.DictReader(table.open(encoding="utf-8", newline="")))
    lines = (",".join([row["path"], Path(row["path"]).parent.name, *list(row.values())[2:]]) for row in rows)
    table.write_text("path,label,suggested,score\n" + "\n".join(lines), encoding="utf-8")
    status, _, err = command("check", "toy", "--set", f"dataset={{name: csv, table: '{table}', num_folds: 2}}")
    assert status == 0, err
    assert "8 clips, 4 classes, 2 folds" in err


def test_nothing_is_left_to_suggest(command: Command, folder: Path, tones: Path, tmp_path: Path):
    status, out, err = command("suggest", folder, tones, "--labelled", tones, "--output", tmp_path / "ask.csv")
    assert (status, out) == (0, "")
    assert "nothing to suggest: no clip without a label is left" in err
    assert not (tmp_path / "ask.csv").exists()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["similar", "MODEL", "SOUND"], "missing argument 'PATH'"),
        (["similar", "model.onnx", "SOUND", "SOUND"], "model.onnx: an exported file has scores, but no embedding"),
        (["similar", "MODEL", "none.wav", "SOUND"], "none.wav: no such file or folder"),
        (["similar", "MODEL", "SOUND", "SOUND", "--hop", "0"], "--hop 0: expected seconds above 0"),
        (["similar", "MODEL", "SOUND", "SOUND", "--page", "SOUND"], "is an input of this command"),
        (
            ["similar", "MODEL", "SOUND", "SOUND", "--output", "a.csv", "--page", "a.csv"],
            "--page a.csv: is the file of --output",
        ),
        (
            ["similar", "MODEL", "SOUND", "SOUND", "--output", "a.txt"],
            "--output a.txt: expected a file that ends in .csv",
        ),
        (["suggest", "MODEL", "none"], "none: no such file or folder"),
        (
            ["suggest", "MODEL", "SOUND", "--output", "ask.txt"],
            "--output ask.txt: expected a file that ends in .csv or .json",
        ),
        (["suggest", "MODEL", "SOUND", "--labelled", "none"], "none: no such file or folder; expected a table"),
        (["suggest", "MODEL", "SOUND", "--number", "0"], "invalid value for '--number': must be at least 1"),
    ],
)
def test_mistakes(command: Command, folder: Path, tones: Path, tmp_path: Path, words: list[str], line: str):
    given = {"MODEL": folder, "SOUND": tones / "low" / "0.wav"}
    before = (tones / "low" / "0.wav").read_bytes()
    status, out, err = command(*(given.get(word, word) for word in words))
    assert (status, out) == (2, "")
    assert line in err
    assert len(err.splitlines()) == 1
    assert (tones / "low" / "0.wav").read_bytes() == before
