"""`audiosurvey doctor`: what it prints and writes, its exit status, and the mistakes of a user."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def spoilt(tmp_path: Path) -> Path:
    """Two classes of eleven clips of noise, one of them silent, one doubled, one in a file that is cut."""
    rng = np.random.default_rng(0)
    for name in ("rain", "wind"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for n in range(11):
            soundfile.write(tmp_path / "set" / name / f"{n}.wav", 0.1 * rng.standard_normal(8000), 8000)
    soundfile.write(tmp_path / "set" / "rain" / "0.wav", np.zeros(8000), 8000)
    (tmp_path / "set" / "rain" / "copy.wav").write_bytes((tmp_path / "set" / "rain" / "1.wav").read_bytes())
    cut = tmp_path / "set" / "wind" / "0.wav"
    cut.write_bytes(cut.read_bytes()[:5000])
    return tmp_path / "set"


def test_a_spoilt_set_as_a_table(command: Command, spoilt: Path) -> None:
    status, out, _ = command("doctor", spoilt)
    assert status == 1
    assert "23 clips" in out
    # Copies without given folds are kept on one side by training.
    assert "found: 2 would spoil a result, 1 worth a look, 0 for the record" in out
    for words in ("truncated", "silent", "duplicate", "wind/0.wav", "rain/copy.wav", "to do"):
        assert words in out


def test_json_alone_on_stdout(command: Command, spoilt: Path) -> None:
    status, out, _ = command("doctor", spoilt, "--json")
    value = json.loads(out)
    assert (status, value["spoilt"], value["dataset"]["clips"], value["dataset"]["readable"]) == (1, True, 23, 22)
    assert {finding["check"] for finding in value["findings"]} == {"truncated", "silent", "duplicate"}
    assert "clips" not in value
    assert len(json.loads(command("doctor", spoilt, "--json", "--all")[1])["clips"]) == 22


def test_what_is_quarantined_is_left_out_and_the_rest_is_clean(command: Command, spoilt: Path, tmp_path: Path) -> None:
    status, _, said = command("doctor", spoilt, "--quarantine", tmp_path / "ignore.tsv")
    assert (status, "quarantined: 3 clips" in said) == (1, True)
    config = tmp_path / "c.yaml"
    config.write_text(
        f"dataset: {{name: folder, root: '{spoilt.as_posix()}', ignore: '{(tmp_path / 'ignore.tsv').as_posix()}'}}",
        encoding="utf-8",
    )
    status, out, _ = command("doctor", config)
    assert (status, "20 clips" in out, "no findings" in out) == (0, True, True)
    assert "3 clips left out by" in out


def test_the_page_needs_nothing_else(command: Command, spoilt: Path, tmp_path: Path) -> None:
    status, _, said = command("doctor", spoilt, "--html", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert (status, "page.html" in said) == (1, True)
    assert page.count("<audio") == 3
    assert page.count('src="data:audio/') == 3
    assert page.count('src="data:image/png;base64,') == 5
    assert set(re.findall(r'(?:src|href)="(\w+):', page)) == {"data"}
    assert "identical samples" in page
    assert "http" not in page


def test_names_are_no_markup(command: Command, tmp_path: Path) -> None:
    (tmp_path / "s" / "[red]").mkdir(parents=True)
    soundfile.write(tmp_path / "s" / "[red]" / "a&[b].wav", np.zeros(800), 8000)
    status, out, _ = command("doctor", tmp_path / "s", "--html", tmp_path / "p.html")
    assert (status, "[red]/a&[b].wav" in out) == (1, True)
    assert "[red]/a&amp;[b].wav" in (tmp_path / "p.html").read_text(encoding="utf-8")


def test_a_bare_folder(command: Command, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for n in range(3):
        soundfile.write(tmp_path / f"{n}.wav", 0.1 * rng.standard_normal(8000), 8000)
    status, out, _ = command("doctor", tmp_path)
    assert (status, "bare folder" in out, "no findings" in out) == (0, True, True)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["nowhere"], "nowhere: no such file or folder, and no preset of that name"),
        (["{root}", "--set", "seed=1"], "is not a config; give a config, or leave --set out"),
        (["{root}", "--html", "{root}"], "is a folder; give the path of a file"),
        (["{root}", "--quarantine", "{root}/none/i.tsv"], "none is missing"),
        (["{root}/a.wav"], "a.wav: is a single sound; give the folder of a data set, a table or a config"),
        (["{root}/a.wav", "--html", "{root}/page.html"], "a.wav: is a single sound; give the folder of a data set"),
        (["{root}/empty"], "no sound files in it; expected a data set or a folder of sounds"),
        (["{root}/clips.csv"], "clips.csv:1: no column label"),
    ],
)
def test_mistakes_are_one_line(command: Command, tmp_path: Path, words: list[str], line: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    (tmp_path / "clips.csv").write_text("path,fold\n1.wav,1\n", encoding="utf-8")
    status, out, said = command("doctor", *(word.format(root=tmp_path.as_posix()) for word in words))
    assert (status, out) == (2, "")
    assert line in said
    assert len(said.strip().splitlines()) == 1
