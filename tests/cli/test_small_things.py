"""What a new user meets: messages and defaults of the command line."""

import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from audiosurvey.cli.app import _ORDER

Command = Callable[..., tuple[int, str, str]]


def test_the_ending_of_the_output_chooses_the_format(finished_run: Path, tones: Path, tmp_path: Path, command: Command):
    model, sound = finished_run / "fold-1" / "model", tones / "low" / "0.wav"
    assert command("predict", model, sound, "--output", tmp_path / "a.csv")[0] == 0
    assert (tmp_path / "a.csv").read_text(encoding="utf-8").splitlines()[0].count(",") >= 2
    assert command("predict", model, sound, "--output", tmp_path / "a.json")[0] == 0
    assert (tmp_path / "a.json").read_text(encoding="utf-8").lstrip()[0] in "[{"
    assert command("predict", model, sound, "--output", tmp_path / "b.csv", "--format", "table")[0] == 0
    assert "," not in (tmp_path / "b.csv").read_text(encoding="utf-8").splitlines()[0]


def test_a_mistyped_run_is_not_looked_up_on_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command):
    monkeypatch.chdir(tmp_path)
    Path("runs/mine").mkdir(parents=True)
    status, _, err = command("predict", "runs/mime", "a.wav")
    assert (status, err) == (2, "runs/mime: no such model; did you mean runs/mine?\n")
    status, _, err = command("predict", "runs/other", "a.wav")
    assert err == "runs/other: no such model; 'audiosurvey runs runs' lists the runs there\n"


def test_a_run_without_a_final_model_names_the_command(finished_run: Path, command: Command):
    if (finished_run / "model").exists():
        pytest.skip("the run has a final model")
    status, _, err = command("predict", finished_run, "a.wav")
    assert status == 2
    assert "has no final model; models of folds: " in err
    assert f"--run-dir {finished_run.as_posix()} --resume --final" in err


@pytest.mark.parametrize("path", [r"C:\Users\me", r"D:\sounds"])
def test_backslashes_in_double_quotes(path: str, tmp_path: Path, command: Command):
    (tmp_path / "c.yaml").write_text(f'dataset: {{name: folder, root: "{path}"}}\n', encoding="utf-8")
    _, _, err = command("check", tmp_path / "c.yaml")
    assert "c.yaml:1: not YAML: a backslash in double quotes begins an escape; write paths in single quotes" in err


def test_help_lists_every_command_in_the_order_of_the_work(command: Command):
    _, out, _ = command("--help")
    listed = [line.split()[0] for line in out.split("Commands:")[1].splitlines() if line[2:3].isalpha()]
    assert listed == list(_ORDER)


@pytest.mark.parametrize("name", [(), *((name,) for name in _ORDER)])
def test_help_names_values_in_words_and_fits_a_terminal(name: tuple[str, ...], command: Command):
    _, out, _ = command(*name, "--help")
    assert not re.search("<|x>=|{", out)
    assert max(map(len, out.splitlines())) <= 80


def test_help_hides_switches_of_developers(command: Command):
    _, out, _ = command("evaluate", "--help")
    assert "--conditions" in out
    assert "--reverse" not in out


def test_a_mistyped_option_comes_with_a_guess(command: Command):
    _, _, err = command("train", "toy", "--thread", 3)
    assert err == (
        "audiosurvey train: no such option: --thread; did you mean --threads? "
        "('audiosurvey train --help' shows the usage)\n"
    )


def test_commands_and_options_are_completed(monkeypatch: pytest.MonkeyPatch):
    program = "import sys; sys.argv = ['audiosurvey']; from audiosurvey.cli.main import main; main()"
    for words, place, found in (("audiosurvey tr", 1, ["train"]), ("audiosurvey train --th", 2, ["--threads"])):
        monkeypatch.setenv("_AUDIOSURVEY_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(place))
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert done.stdout.split() == found


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
def test_weights_can_be_read_by_others_if_the_umask_says_so(finished_run: Path):
    folder = finished_run / "fold-1" / "model"
    modes = {stat.S_IMODE((folder / name).stat().st_mode) for name in ("weights.safetensors", "model.json")}
    assert len(modes) == 1
