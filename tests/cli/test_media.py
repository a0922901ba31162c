"""Sounds and videos that PyAV reads, in the commands: audited, prepared and predicted like any others."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from media_files import media, tones

Command = Callable[..., tuple[int, str, str]]
CONFIG = "dataset: {{name: folder, root: '{root}', num_folds: 2, clip_seconds: 1}}\nsample_rate: 16000\n"


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    """Two classes of three sounds, each in another format, and one that was truncated."""
    for name, kinds in {"film": ("mp4", "mkv", "mov"), "phone": ("m4a", "amr", "webm")}.items():
        (tmp_path / "set" / name).mkdir(parents=True)
        for kind in kinds:
            (tmp_path / "set" / name / f"one.{kind}").write_bytes(media(kind))
    (tmp_path / "set" / "film" / "cut.mp4").write_bytes(media("mp4", tones(22050, 1, 2))[:9000])
    (tmp_path / "my.yaml").write_text(CONFIG.format(root=tmp_path / "set"))
    return tmp_path / "set"


def test_prepare_counts_and_skips_what_is_damaged(command: Command, sounds: Path) -> None:
    status, out, said = command("prepare", sounds.parent / "my.yaml")
    assert status == 0, said
    assert "6 clips" in out
    assert "film/cut.mp4: truncated" in out + said


def test_doctor_tells_of_what_is_cut_short(command: Command, sounds: Path) -> None:
    status, out, _ = command("doctor", sounds, "--json")
    found = json.loads(out)
    assert (status, found["dataset"]["clips"], found["dataset"]["readable"]) == (1, 7, 6)
    cut = [one for one in found["findings"] if one["check"] == "truncated"]
    assert [one["clips"] for one in cut] == [["film/cut.mp4"]]


def test_predict_of_files_and_folders(command: Command, finished_run: Path, sounds: Path) -> None:
    status, out, said = command("predict", finished_run / "fold-1" / "model", sounds, "--format", "csv")
    assert status == 1
    assert "cut.mp4: truncated" in said + out
    for name in ("one.mp4", "one.mkv", "one.mov", "one.m4a", "one.amr", "one.webm"):
        assert name in out


def test_without_pyav_one_line_says_what_to_install(
    command: Command, monkeypatch: pytest.MonkeyPatch, sounds: Path, finished_run: Path
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    needs = "needs PyAV; install it with pip install 'audiosurvey[media]'"
    status, _, said = command("prepare", sounds.parent / "my.yaml")
    assert status == 2
    assert said.strip() == f"film/one.mkv: MATROSKA (Opus, Vorbis, AAC) {needs} (7 files of such formats)"
    status, out, said = command("predict", finished_run / "fold-1" / "model", sounds / "phone" / "one.m4a")
    assert (status, needs in said + out) == (1, True)
    assert needs in command("doctor", sounds, "--json")[1]
