"""The command predict: sounds of every kind in, answers in every format out, one line for each mistake."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

import audiosurvey
from audiosurvey.data.annotations.reading import read_annotations

Command = Callable[..., tuple[int, str, str]]
RATE = 8000


@pytest.fixture
def model(finished_run: Path) -> Path:
    return finished_run / "fold-1" / "model"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")


@pytest.fixture
def long(tmp_path: Path, tones: Path) -> Path:
    """40 s: ten seconds of each tone, then of noise."""
    parts = [soundfile.read(tones / name / "0.wav", dtype="int16")[0] for name in ("low", "mid", "high", "noise")]
    path = tmp_path / "long.wav"
    soundfile.write(path, np.concatenate([np.tile(part, 20) for part in parts]), RATE)
    return path


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return 0.2 * np.random.default_rng(seed).standard_normal(int(seconds * RATE))


def break_in_ten_ways(folder: Path, number: int, kind: int) -> Path:
    """A file that cannot be read, in one of ten ways."""
    path = folder / f"{number:04}.wav"

    def content(**how: Any) -> bytes:
        file = io.BytesIO()
        soundfile.write(file, noise(2, number), RATE, **how)
        return file.getvalue()

    if kind == 0:
        path.touch()
    elif kind == 1:
        path.write_text("this is no sound at all, " * 20)
    elif kind == 2:
        path.write_bytes(content(format="WAV")[:20])
    elif kind == 3:
        path.write_bytes(content(format="WAV")[:9000])
    elif kind == 4:
        path = path.with_suffix(".flac")
        path.write_bytes(content(format="FLAC")[:9000])
    elif kind == 5:
        path = path.with_suffix(".ogg")
        whole = content(format="OGG")
        path.write_bytes(whole[: len(whole) // 2])
    elif kind == 6:
        wave = noise(1, number)
        wave[500] = np.nan
        soundfile.write(path, wave, RATE, subtype="FLOAT")
    elif kind == 7:
        soundfile.write(path, np.zeros(0), RATE)
    elif kind == 8:
        path.symlink_to(folder / "gone.wav")
    else:
        path.mkdir()
    return path


def collection(folder: Path, num_good: int, num_broken: int) -> list[Path]:
    """Good and broken files, mixed; gives the broken ones."""
    folder.mkdir()
    total, broken = num_good + num_broken, []
    for number in range(total):
        if number * num_broken // total < (number + 1) * num_broken // total:
            broken.append(break_in_ten_ways(folder, number, len(broken) % 10))
        else:
            soundfile.write(folder / f"{number:04}.wav", noise(0.5, number), RATE)
    return broken


def check_collection(outcome: tuple[int, str, str], broken: list[Path], folder: Path, num_good: int) -> None:
    status, out, err = outcome
    assert status == 1
    results = rows(out)
    assert len(results) == num_good
    assert [row["path"] for row in results] == sorted(row["path"] for row in results)
    said = dict(line.strip().split(": ", 1) for line in err.splitlines() if line.startswith(f"  {folder.name}/"))
    assert set(said) == {f"{folder.name}/{path.name}" for path in broken}
    assert all(said.values())
    # Ten kinds; a header that was cut off and a text both are "not a sound file".
    assert len({reason.split("(")[0].split(":")[0] for reason in said.values()}) >= 6
    assert f"{len(broken)} of {num_good + len(broken)} failed:" in err
    assert "Traceback" not in err


def test_a_short_sound_gets_what_the_model_predicts(command: Command, model: Path, tones: Path):
    status, out, _ = command("predict", model, tones / "low" / "0.wav", "--format", "json", "--scores", "--top", 4)
    assert status == 0
    (result,) = json.loads(out)["results"]
    wanted = audiosurvey.load(model).predict(tones / "low" / "0.wav")
    assert result["scores"] == pytest.approx(wanted, abs=2e-6)
    assert list(result["labels"]) == list(wanted)
    assert (result["start_s"], result["end_s"]) == (0, 0.5)


def test_folders_and_patterns_name_every_file_once(command: Command, model: Path, tones: Path):
    status, out, err = command("predict", model, tones, tones / "*" / "0.wav", "--format", "csv")
    assert status == 0
    assert [row["path"] for row in rows(out)] == [str(path) for path in sorted(tones.rglob("*.wav"))]
    assert "24 sounds, 12 s of sound" in err


def test_a_batch_of_sounds_scores_as_each_alone(command: Command, model: Path, tones: Path):
    _, out, _ = command("predict", model, tones, "--format", "csv", "--scores")
    loaded = audiosurvey.load(model)
    for row in rows(out):
        alone = loaded.predict(row["path"])
        assert {label: float(row[f"p:{label}"]) for label in alone} == pytest.approx(alone, abs=2e-6)


def test_the_table_says_three_labels_a_sound_or_unknown(command: Command, model: Path, tones: Path):
    path = tones / "low" / "0.wav"
    _, out, _ = command("predict", model, path)
    assert out.count(f"{path}: ") == len(out.splitlines()) == 1
    assert len(out.removeprefix(f"{path}: ").split("  ")) == 3
    _, out, _ = command("predict", model, path, "--threshold", 1)
    assert out.startswith(f"{path}: unknown ")


def test_a_long_sound_is_told_as_events(command: Command, model: Path, long: Path):
    status, out, _ = command("predict", model, "long.wav", "--smooth", 5, "--on", 0)
    assert status == 0
    first, *lines = out.splitlines()
    assert first == "long.wav:"
    assert lines[0].split()[0] == "0:00:00.0"
    assert lines[-1].split()[1] == "0:00:40.0"
    assert all("peak" in line and "mean" in line for line in lines)


def test_windows_of_a_long_sound_are_rows_and_join_to_one_where_the_answer_stays(
    command: Command, model: Path, long: Path
):
    _, out, _ = command("predict", model, "long.wav", "--format", "csv", "--window", 1, "--hop", 0.5)
    windows = rows(out)
    assert [float(row["start_s"]) for row in windows] == [n / 2 for n in range(79)]
    _, out, _ = command("predict", model, "long.wav", "--format", "csv", "--window", 1, "--hop", 0.5, "--events")
    events = rows(out)
    assert 1 <= len(events) < 79
    for event in events:
        inside = [
            float(row["score"])
            for row in windows
            if row["label"] == event["label"] and float(event["start_s"]) <= float(row["start_s"])
            if float(row["end_s"]) <= float(event["end_s"])
        ]
        assert float(event["score"]) == max(inside)
        assert float(event["mean"]) == pytest.approx(np.mean(inside), abs=2e-6)


def test_a_label_track_of_audacity(command: Command, model: Path, long: Path):
    status, out, _ = command("predict", model, "long.wav", "--format", "audacity", "--min-duration", 1)
    assert status == 0
    assert out
    for line in out.splitlines():
        start, end, label = line.split("\t")
        assert float(end) - float(start) >= 1
        assert label.rsplit(" ", 1)[0] in ("low", "mid", "high", "noise")


def test_a_selection_table_of_several_recordings_is_read_back(command: Command, model: Path, long: Path):
    Path("more").mkdir()
    soundfile.write("more/other.wav", noise(40), RATE)
    status, _, _ = command("predict", model, "long.wav", "more/other.wav", "--format", "raven", "--output", "a.txt")
    assert status == 0
    _, out, _ = command("predict", model, "long.wav", "more/other.wav", "--format", "json", "--events")
    expected = [(row["path"], row["label"], row["start_s"], row["end_s"]) for row in json.loads(out)["results"]]
    found = read_annotations(Path("a.txt"), lambda folder: sorted(folder.rglob("*.wav")))
    events = [(one.path, event) for one in found for event in one.events]
    names = [(path.relative_to(Path.cwd()).as_posix(), event.label) for path, event in events]
    assert names == [(name, label) for name, label, _, _ in expected]
    assert {name for name, _ in names} == {"long.wav", "more/other.wav"}
    for (_, event), (_, _, start_s, end_s) in zip(events, expected, strict=True):
        assert (event.start_s, event.end_s) == pytest.approx((start_s, end_s), abs=6e-4)


def test_whole_makes_one_answer_of_a_long_sound_as_the_model_does(command: Command, model: Path, long: Path):
    _, out, _ = command("predict", model, "long.wav", "--format", "json", "--scores", "--whole")
    (result,) = json.loads(out)["results"]
    assert result["scores"] == pytest.approx(audiosurvey.load(model).predict(long), abs=1e-5)


def test_few_threads_and_batches_change_nothing_but_the_last_bits(command: Command, model: Path, long: Path):
    _, out, _ = command("predict", model, "long.wav", "--format", "csv")
    _, other, _ = command(
        "predict", model, "long.wav", "--format", "csv", "--batch-size", 3, "--threads", 1, "--device", "cpu"
    )
    for row, same in zip(rows(out), rows(other), strict=True):
        assert row["label"] == same["label"]
        assert float(row["score"]) == pytest.approx(float(same["score"]), abs=1e-5)


@pytest.mark.parametrize("rate", [8000, 44100])
def test_a_pipe_of_raw_samples_a_wav_in_a_pipe_and_the_file_say_the_same(
    command: Command, model: Path, monkeypatch: pytest.MonkeyPatch, rate
):
    wave = (noise(33 * rate / RATE, 3) * 32767).clip(-32768, 32767).astype("<i2")
    soundfile.write("a.wav", wave, rate)
    how = ["--format", "csv", "--batch-size", 1, "--scores"]
    _, wanted, _ = command("predict", model, "a.wav", *how)
    assert len(rows(wanted)) == 66

    def piped(content: bytes, *words: object) -> str:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))
        status, out, err = command("predict", model, "-", *how, *words)
        assert status == 0, err
        return out

    wanted = wanted.replace("a.wav", "-")
    assert piped(wave.tobytes(), "--rate", rate) == wanted
    assert piped((wave.astype(">i4") << 16).astype(">i4").tobytes(), "--rate", rate, "--encoding", "s32be") == wanted
    assert piped(np.repeat(wave, 2).tobytes(), "--rate", rate, "--channels", 2) == wanted
    assert piped(Path("a.wav").read_bytes()) == wanted


def test_a_microphone_says_what_the_file_of_the_same_sound_says(
    command: Command, model: Path, monkeypatch: pytest.MonkeyPatch
):
    wave = noise(31, 4).astype(np.float32)
    soundfile.write("a.wav", wave, RATE, subtype="FLOAT")

    class Stream:
        def __init__(self, callback: Callable[..., None], blocksize: int, **how: Any) -> None:
            self.blocks = [(wave[at : at + blocksize, None], callback) for at in range(0, len(wave), blocksize)]

        def __enter__(self) -> None:
            for block, callback in self.blocks:
                callback(block, len(block), None, False)

        def __exit__(self, *error: object) -> None:
            pass

    class Card(SimpleNamespace):
        PortAudioError = OSError

    card = Card(InputStream=Stream, query_devices=lambda kind: {"default_samplerate": RATE})
    monkeypatch.setitem(sys.modules, "sounddevice", card)
    monkeypatch.setattr("audiosurvey.prediction.microphone._QUEUED", 0)
    how = ["--format", "csv", "--batch-size", 1]
    _, wanted, _ = command("predict", model, "a.wav", *how)
    wanted = rows(wanted)

    # Ctrl-C as soon as all that was said has been heard.
    from audiosurvey.prediction.writers import CsvWriter

    write, said = CsvWriter.write, []

    def counted(self: CsvWriter, given: Any) -> None:
        said.append(given)
        write(self, given)
        if len(said) == len(wanted):
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(CsvWriter, "write", counted)
    status, out, err = command("predict", model, "--mic", *how)
    assert status == 0, err
    heard = rows(out)
    assert len(heard) == len(wanted) == 62
    for row, same in zip(heard, wanted, strict=True):
        assert row == same | {"path": "microphone"}


def test_broken_files_are_skipped_and_named(command: Command, model: Path, tmp_path: Path):
    broken = collection(tmp_path / "many", 20, 10)
    check_collection(command("predict", model, "many", "--format", "csv"), broken, tmp_path / "many", 20)
    status, out, _ = command("predict", model, "many", "--format", "json")
    assert status == 1
    assert {Path(failed["path"]) for failed in json.loads(out)["failed"]} == {
        path.relative_to(tmp_path) for path in broken
    }


def test_a_long_file_that_breaks_off_says_what_was_heard_before(command: Command, model: Path, long: Path):
    long.write_bytes(long.read_bytes()[:-1000])
    status, out, err = command("predict", model, "long.wav", "--format", "csv")
    assert status == 1
    assert len(rows(out)) >= 79
    assert "long.wav: truncated" in err
    status, out, _ = command("predict", model, "long.wav", "--format", "csv", "--whole")
    assert (status, rows(out)) == (1, [])


def test_the_output_stands_whole_and_nothing_beside_it(command: Command, model: Path, tones: Path, tmp_path: Path):
    Path("out.csv").write_text("of yesterday")
    words = ("predict", model, tones, "--format", "csv", "--output", "out.csv")
    assert command(*words)[0] == 2
    assert Path("out.csv").read_text() == "of yesterday"
    status, out, _ = command(*words, "--force")
    assert (status, out) == (0, "")
    assert len(rows(Path("out.csv").read_text())) == 24
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv"]


def test_thresholds_of_a_model_without_any(command: Command):
    earlier = Path(__file__).parents[1] / "fixtures" / "earlier" / "run" / "fold-1" / "model"
    soundfile.write("a.wav", noise(0.5), RATE)
    status, out, err = command("predict", earlier, "a.wav", "--threshold", "model")
    assert (status, out) == (2, "")
    assert err.strip() == "--threshold model: this model has no thresholds; give a number, such as 0.5"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "which sounds?"),
        (["a.wav", "--mic"], "which sounds?"),
        (["gone.wav"], "gone.wav: no such file or folder"),
        (["*.xyz"], "*.xyz: no file matches this pattern"),
        (["empty"], "empty: no sound files in this folder"),
        (["a.wav", "-"], "stdin cannot be combined with files and folders"),
        (["a.wav", "--format", "xml"], "--format xml: choose one of"),
        (["a.wav", "--window", "0"], "--window 0: expected seconds"),
        (["a.wav", "--hop", "nan"], "--hop nan: expected seconds"),
        (["a.wav", "--hop", "0.00001"], "window and hop"),
        (["a.wav", "--min-duration", "inf"], "--min-duration inf: expected seconds"),
        (["a.wav", "--threshold", "loud"], "--threshold loud: expected a score from 0 to 1, or model"),
        (["a.wav", "--threshold", "1.5"], "--threshold 1.5: expected a score from 0 to 1"),
        (["a.wav", "--threshold", "nan"], "--threshold nan: expected a score from 0 to 1"),
        (["a.wav", "--off", "0.7"], "--off 0.7: is above the score 0.5 at which events begin"),
        (["a.wav", "--on", "0.3", "--off", "0.5"], "--off 0.5: is above the score 0.3"),
        (["a.wav", "--smooth", "4"], "--smooth 4: expected an odd number"),
        (["a.wav", "--whole", "--window", "1"], "--window: is for windows, --whole gives one prediction per sound"),
        (["a.wav", "--no-events", "--min-gap", "1"], "--min-gap: is for events"),
        (["a.wav", "--scores"], "--scores: format table has no place for the scores of all labels"),
        (["a.wav", "--restart"], "--restart: needs --output"),
        (["a.wav", "--output", "empty"], "--output empty: is a folder"),
        (["a.wav", "--output", "no/out.csv"], "the folder no is missing"),
        (["a.wav", "b.wav", "--format", "audacity"], "a label track is for one sound, not 2"),
        (["a.wav", "--rate", "8000"], "leave them out, or give -"),
        (["-", "--channels", "2"], "--rate is needed for raw samples"),
        (["-", "--rate", "8000", "--encoding", "mp3"], "--encoding mp3: unknown"),
        (["-"], "-: standard input is empty"),
        (["a.wav", "--device", "tpu"], "tpu"),
        (["a.wav", "--threads", "0"], "'--threads': must be at least 1"),
    ],
)
def test_a_mistake_is_one_line(
    command: Command, model: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
):
    for name in ("a.wav", "b.wav"):
        soundfile.write(name, noise(0.5), RATE)
    Path("empty").mkdir()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO()))
    status, out, err = command("predict", model, *words)
    assert status == 2, err
    assert out == ""
    assert said in err
    assert len(err.splitlines()) == 1, err


def test_a_model_that_is_none_is_one_line(command: Command):
    soundfile.write("a.wav", noise(0.5), RATE)
    status, _, err = command("predict", "nothing", "a.wav")
    assert status == 2
    assert len(err.splitlines()) == 1
    assert "nothing" in err


def test_a_journal_of_other_windows_is_not_gone_on_with(command: Command, model: Path, tones: Path):
    Path("out.csv.journal").write_text("a diary\n")
    status, _, err = command("predict", model, tones, "--output", "out.csv")
    assert (status, len(err.splitlines())) == (2, 1)
    assert "out.csv.journal: not a journal of predict; move it away" in err
    assert Path("out.csv.journal").read_text() == "a diary\n"


def killed_when(process: subprocess.Popen[str], journal: Path, size: int) -> None:
    """SIGKILL as soon as the journal has so many bytes."""
    end = time.monotonic() + 120
    while not journal.exists() or journal.stat().st_size < size:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert process.returncode == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.parametrize("sounds", ["many files", "one long file"])
def test_a_killed_job_goes_on_and_ends_in_the_same_bytes(
    command: Command, process: Callable[..., Any], model: Path, tones: Path, tmp_path: Path, sounds: str
):
    (tmp_path / "sounds").mkdir()
    if sounds == "many files":
        for number in range(1500):
            shutil.copy(tones / "low" / f"{number % 6}.wav", tmp_path / "sounds" / f"{number:04}.wav")
        break_in_ten_ways(tmp_path / "sounds", 9, 1)
    else:
        soundfile.write("sounds/long.wav", noise(600, 8), RATE)
    how = ["predict", model, "sounds", "--format", "csv", "--threads", 1]
    how += ["--hop", 0.05] if sounds == "one long file" else []
    wanted = command(*how, "--output", "whole.csv")
    for size in (20_000, 60_000):
        killed_when(process(*how, "--output", "out.csv"), tmp_path / "out.csv.journal", size)
        assert not Path("out.csv").exists()
    outcome = command(*how, "--output", "out.csv")
    assert outcome[0] == wanted[0]
    assert Path("out.csv").read_bytes() == Path("whole.csv").read_bytes()
    assert not Path("out.csv.journal").exists()
    if sounds == "many files":
        assert "continuing: " in outcome[2]


@pytest.mark.slow
def test_a_thousand_files_with_fifty_broken(command: Command, model: Path, tmp_path: Path):
    broken = collection(tmp_path / "many", 950, 50)
    assert len(broken) == 50
    check_collection(command("predict", model, "many", "--format", "csv"), broken, tmp_path / "many", 950)


def spike(path: Path, value: float, subtype: str = "FLOAT") -> None:
    """A second of noise in two channels with one huge sample."""
    wave_SC = np.stack([noise(1), noise(1)], axis=1)
    wave_SC[700] = value
    soundfile.write(path, wave_SC, RATE, subtype=subtype)


def test_sounds_that_cannot_be_scored_are_named_and_the_others_are_done(model, command: Command, named_pipe) -> None:
    folder = Path("sounds")
    folder.mkdir()
    for name in ("a.wav", "z.wav"):
        soundfile.write(folder / name, noise(1), RATE)
    spike(folder / "far.wav", 1e29)
    spike(folder / "huge.wav", 3e38)
    spike(folder / "double.wav", 1e300, "DOUBLE")
    soundfile.write(folder / "long.wav", np.where(np.arange(40 * RATE) == 39 * RATE, 1e29, 0.0), RATE, subtype="FLOAT")
    named_pipe(folder / "pipe.wav")
    (folder / "null.wav").symlink_to(os.devnull)
    expected = {
        "double.wav": "not numbers",
        "far.wav": "up to 1e+29",
        "huge.wav": "up to 3e+38",
        "long.wav": "up to 1e+29",
        "null.wav": "not a plain file (device)",
        "pipe.wav": "not a plain file (named pipe)",
    }
    if Path("/proc/self/mem").exists():
        # A plain file that the system refuses to read at its beginning.
        (folder / "refused.wav").symlink_to("/proc/self/mem")
        expected["refused.wav"] = "cannot be read"
    status, out, err = command("predict", model, folder, "--format", "json", "--scores")
    assert status == 1
    told = json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert {Path(answer["path"]).name for answer in told["results"]} == {"a.wav", "z.wav", "long.wav"}
    assert {Path(failure["path"]).name: failure["reason"] for failure in told["failed"]}.keys() == expected.keys()
    for failure in told["failed"]:
        assert expected[Path(failure["path"]).name] in failure["reason"]
    assert f"{len(expected)} of {len(expected) + 2} failed" in err


@pytest.mark.parametrize("mode", [[], ["--window", "0.5"]])
def test_a_device_that_never_ends_is_not_read(process, model, tmp_path: Path, mode: list[str]) -> None:
    (tmp_path / "zero.wav").symlink_to("/dev/zero")
    if not (tmp_path / "zero.wav").exists():
        pytest.skip("no /dev/zero")
    one = process("predict", model, "zero.wav", *mode)
    _, err = one.communicate(timeout=120)
    assert one.returncode == 1
    assert "zero.wav: not a plain file (device)" in err
