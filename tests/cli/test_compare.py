"""The command compare, as a user calls it."""

import json
from pathlib import Path

import pytest

from audiosurvey.cli import main as console

HEAD = "clip,fold,label,p:a,p:b\n"


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, right in (("good", 0.9), ("bad", 0.2)):
        rows = []
        for n in range(40):
            label = "ab"[n % 2]
            a = right if label == "a" else 1 - right
            rows.append(f"{n}.wav,{n % 4 + 1},{label},{a},{1 - a}" if n > 3 else f"{n}.wav,{n % 4 + 1},{label},0.6,0.4")
        (tmp_path / name).mkdir()
        (tmp_path / name / "predictions.csv").write_text(HEAD + "\n".join(rows) + "\n", encoding="utf-8")
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.argv", ["audiosurvey", "compare", *words])
    with pytest.raises(SystemExit) as ended:
        console.main()
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


def test_table(folders, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "200")
    status, out, err = run(monkeypatch, capsys, "good", "bad", "--pairs")
    assert (status, err) == (0, "")
    assert "40 clips, 2 classes, folds 1, 2, 3, 4" in out
    assert "verdicts against good, a baseline chosen by its score" in out
    assert "worse" in out
    assert "note: no source recordings in these files" in out


def test_all_outputs(folders, monkeypatch, capsys):
    words = ("--csv", "a.csv", "--long-csv", "b.csv", "--markdown", "c.md", "--html", "d.html", "--json")
    status, out, err = run(monkeypatch, capsys, "good", "bad", "--baseline", "bad", *words)
    assert status == 0
    found = json.loads(out)
    assert found["datasets"][0]["against_baseline"][0]["verdict"] == "better"
    assert err.splitlines() == ["csv: a.csv", "long_csv: b.csv", "markdown: c.md", "html: d.html"]
    assert Path("a.csv").read_text(encoding="utf-8").count("\n") == 3
    assert Path("b.csv").read_text(encoding="utf-8").count("\n") == 9
    assert Path("c.md").read_text(encoding="utf-8").count("|---") == 7
    assert Path("d.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    status, _, err = run(monkeypatch, capsys, "good", "bad", *words)
    assert (status, err) == (2, "--csv a.csv: already exists; give another name, or --force to overwrite it\n")
    assert run(monkeypatch, capsys, "good", "bad", "--force", *words)[0] == 0


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("none",), "none: no such folder; give survey folders, run folders, or folders with predictions.csv"),
        (("good", "bad", "--folds", "1,x"), "--folds 1,x: expected numbers separated by commas, such as 1,2"),
        (("good", "bad", "--baseline", "best"), "--baseline best: no such model; there are bad, good"),
        (("good", "bad", "--csv", "x", "--html", "x"), "--csv x, --html x: are the same file; give different files"),
        (("good", "good"), "good: given twice; list each model once"),
    ],
)
def test_mistakes_are_one_line(folders, monkeypatch, capsys, words, line):
    assert run(monkeypatch, capsys, *words) == (2, "", line + "\n")


def test_what_is_compared_is_not_overwritten(folders, monkeypatch, capsys):
    before = Path("good/predictions.csv").read_bytes()
    words = ("good", "bad", "--csv", "good/predictions.csv", "--force")
    status, _, err = run(monkeypatch, capsys, *words)
    assert status == 2
    assert err.startswith("--csv good/predictions.csv: is an input of this command and would be overwritten")
    assert Path("good/predictions.csv").read_bytes() == before


def test_a_fault_in_a_file_is_located(folders, monkeypatch, capsys):
    path = Path("bad/predictions.csv")
    path.write_text(path.read_text(encoding="utf-8").replace("7.wav,4,b,0.8", "7.wav,4,b,high", 1), encoding="utf-8")
    status, _, err = run(monkeypatch, capsys, "good", "bad")
    assert (status, err) == (2, "bad/predictions.csv:9: p:a: 'high' is not a probability between 0 and 1\n")
