"""What an option writes replaces nothing that matters: inputs, runs, models, devices; other files on --force only."""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from audiosurvey.errors import ArgumentError, UserError
from audiosurvey.targets import check_target, check_target_folder

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")


def tree(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def own(finished_run: Path, tones: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A run and a data set of the test's own."""
    return Path(shutil.copytree(finished_run, tmp_path / "run")), Path(shutil.copytree(tones, tmp_path / "tones"))


def refused(outcome: tuple[int, str, str], *words: str) -> None:
    status, out, err = outcome
    assert (status, out) == (2, ""), err
    lines = [line for line in err.splitlines() if not line.startswith("warning: ")]
    assert len(lines) == 1, err
    assert all(word in lines[0] for word in words), err


def test_plain_rules():
    Path("old.csv").write_text("old")
    Path("sound.wav").write_text("sound")
    os.link("sound.wav", "second.wav")
    Path("link.csv").symlink_to("sound.wav")
    check_target("output", Path("new.csv"))
    check_target("output", Path("old.csv"), force=True)
    with pytest.raises(ArgumentError, match=r"^output='old\.csv': already exists; .*force=True") as error:
        check_target("output", Path("old.csv"))
    assert re.match(r"--output old\.csv: already exists; .*--force", error.value.flag_lines[0])
    for name in ("sound.wav", "second.wav", "link.csv", "../" + Path.cwd().name + "/sound.wav"):
        with pytest.raises(UserError, match="is an input"):
            check_target("output", Path(name), inputs=[Path("sound.wav")], force=True)
    with pytest.raises(UserError, match="is a folder"):
        check_target("output", Path(), force=True)
    with pytest.raises(UserError, match="is missing"):
        check_target("output", Path("none/x.csv"), force=True)


def test_what_is_written_beside_the_target_is_looked_at_too():
    Path("out.tmp").write_text("an input")
    with pytest.raises(UserError, match="is an input"):
        check_target("output", Path("out"), inputs=[Path("out.tmp")])
    os.mkfifo("pipe.journal")
    with pytest.raises(UserError, match=r"pipe\.journal beside it is not a plain file"):
        check_target("output", Path("pipe"))


def test_devices_and_pipes():
    os.mkfifo("pipe")
    Path("null").symlink_to("/dev/null")
    for name, said in (("pipe", "is not a plain file"), ("/dev/null", "is a device"), ("null", "is a device")):
        with pytest.raises(UserError, match=said):
            check_target("output", Path(name), force=True)


@pytest.mark.parametrize("place", ["run", "run/fold-1", "run/fold-1/model", "run/fold-1/checkpoint"])
def test_runs_and_models(place: str, own: tuple[Path, Path]):
    name = next(path.name for path in Path(place).iterdir() if path.is_file())
    for target in (Path(place, name), Path(place, "new.txt")):
        with pytest.raises(UserError, match=r"lies in the (run|model) folder"):
            check_target("output", target, force=True)
    Path("elsewhere").symlink_to(place)
    with pytest.raises(UserError, match=r"lies in the (run|model) folder"):
        check_target("output", Path("elsewhere", "new.txt"), force=True)
    with pytest.raises(UserError, match=r"lies in the (run|model) folder"):
        check_target_folder("output", Path(place, "preview"))


def test_no_command_overwrites_what_matters(command: Command, own: tuple[Path, Path], tiny_yaml: str, tmp_path: Path):
    run, tones = own
    config = Path("tiny.yaml")
    config.write_text(tiny_yaml.replace(next(iter(tiny_yaml.split("root: '")[1:])).split("'")[0], str(tones)))
    model, sound = run / "fold-1" / "model", tones / "low" / "0.wav"
    table = Path("clips.csv")
    table.write_text("path,label\n" + "".join(f"tones/{c}/{n}.wav,{c}\n" for c in ("low", "mid") for n in range(3)))
    Path("ignore.txt").write_text("low/0.wav\tmine\n")
    os.mkfifo("pipe")
    before = tree(tmp_path)
    for force in ([], ["--force"]):
        for target in (sound, "/dev/null", "pipe", run / "results.json", model / "weights.safetensors", tmp_path):
            refused(command("predict", model, sound, "--output", target, *force), "--output")
            refused(command("doctor", tones, "--html", target, *force), "--html")
            refused(command("doctor", tones, "--quarantine", target, *force), "--quarantine")
            refused(command("merge", run, run, "--output", target, *force), "--output") if target != sound else None
            refused(command("init", target, *force), str(target)) if target != sound else None
        refused(command("predict", model, tones, "--output", sound, *force), "is an input")
        refused(command("doctor", table, "--quarantine", table, *force), "is an input")
        refused(command("doctor", config, "--html", config, *force), "is an input")
        ignore = "dataset.ignore=ignore.txt"
        refused(command("doctor", config, "--set", ignore, "--quarantine", "ignore.txt", *force), "is an input")
        refused(command("preview", config, "--output", run / "preview", *force), "lies in the run folder")
        refused(command("preview", config, "--output", model, *force), "lies in the model folder")
        refused(command("export", model, "--output", run / "x.onnx", *force), "lies in the run folder")
        other = run / "fold-2" / "model" / "model.onnx"
        refused(command("export", model, "--output", other, *force), "lies in the model folder")
    assert tree(tmp_path) == before


def test_old_output_is_replaced_on_force_only(command: Command, own: tuple[Path, Path], tiny_yaml: str):
    run, tones = own
    Path("tiny.yaml").write_text(tiny_yaml)
    model, sound = run / "fold-1" / "model", tones / "low" / "0.wav"
    calls = {
        "out.csv": ("predict", model, sound, "--format", "csv", "--device", "cpu", "--output", "out.csv"),
        "page.html": ("doctor", tones, "--html", "page.html"),
        "bad.txt": ("doctor", tones, "--quarantine", "bad.txt"),
        "all.json": ("merge", run / "results.json", "second.json", "--output", "all.json"),
        "new.yaml": ("init", "new.yaml"),
    }
    for name, words in calls.items():
        Path(name).write_text("old")
        refused(command(*words), name, "already exists", "--force")
        assert Path(name).read_text() == "old"
        if name == "all.json":
            continue
        status, _, err = command(*words, "--force")
        assert status in (0, 1), err
        assert Path(name).read_text() != "old"


def test_a_preview_replaces_its_pictures_on_force_only(command: Command, tiny_yaml: str):
    Path("tiny.yaml").write_text(tiny_yaml)
    assert command("preview", "tiny.yaml")[0] == 0
    refused(command("preview", "tiny.yaml"), "already exists", "--force")
    assert command("preview", "tiny.yaml", "--epoch", "2")[0] == 0
    assert command("preview", "tiny.yaml", "--force")[0] == 0


def test_the_files_of_a_survey_are_not_written_over(tmp_path: Path):
    for name in ("plan.json", "survey.yaml", "table.csv"):
        (tmp_path / name).touch()
    (tmp_path / "cells").mkdir()
    for path in (tmp_path / "plan.json", tmp_path / "survey.yaml", tmp_path / "cells" / "table.csv"):
        with pytest.raises(UserError, match=r"lies in the survey folder .*; give a path outside of it"):
            check_target("output", path, force=True)
    check_target("output", tmp_path / "table.csv", force=True)
