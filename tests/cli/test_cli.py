"""The command line: help at once, exit status, one clear line for every mistake, JSON alone on stdout."""

import json
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

import audiosurvey

Command = Callable[..., tuple[int, str, str]]
COMMANDS = [
    "init",
    "check",
    "describe",
    "download",
    "prepare",
    "preview",
    "train",
    "evaluate",
    "presets",
    "push",
    "predict",
    "export",
    "demo",
    "serve",
    "doctor",
    "predict",
    "merge",
    "runs",
]


@pytest.fixture
def config(tiny_yaml: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "tiny.yaml"
    path.write_text(tiny_yaml, encoding="utf-8")
    return path


def mistake(outcome: tuple[int, str, str], *words: str, lines: int = 1) -> None:
    """Exit status 2, nothing on stdout, so many lines on stderr with these words in them."""
    status, out, err = outcome
    assert status == 2, err
    assert out == ""
    said = [line for line in err.splitlines() if not line.startswith("warning: ")]
    assert len(said) == lines, err
    assert "Traceback" not in err
    for word in words:
        assert word in err


def test_threads_are_counted_from_one(command: Command, config: Path):
    status, _, err = command("train", config, "--threads", "0")
    assert status == 2
    assert "--threads" in err


def test_synchronised_norms_are_refused_without_a_gpu(command: Command, config: Path):
    outcome = command("train", config, "--device", "cpu", "--set", "train.sync_batchnorm=true")
    mistake(outcome, "train.sync_batchnorm: torch's SyncBatchNorm needs a GPU, and this run is on cpu")
    assert not Path("runs").exists()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(command: Command, name):
    status, out, err = command(name, "--help")
    assert status == 0
    assert "Usage: audiosurvey" in out
    assert "--help" in out
    assert err == ""


def test_version(command: Command):
    assert command("--version") == (0, f"{audiosurvey.__version__}\n", "")


def test_alone_it_shows_its_commands(command: Command):
    status, out, _ = command()
    assert status == 0
    assert all(name in out for name in COMMANDS)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["trian", "toy"], "no such command 'trian'; did you mean 'train'? ('audiosurvey --help' shows the usage)"),
        (["train"], "missing argument 'CONFIG'"),
        (["train", "toy", "--nonsense"], "no such option: --nonsense"),
        (["train", "toy", "more"], "unexpected extra argument"),
        (["describe", "toy", "--classes", "many"], "invalid value for '--classes'"),
        (["check"], "which config?"),
        (["check", "nosuch"], "no such file or folder, and no preset of that name"),
        (["check", "orignal"], "did you mean original?"),
        (["check", "toy", "--set", "train.lr"], "--set train.lr"),
        (["check", "toy", "--set", "train.epohcs=3"], "did you mean epochs?"),
        (["check", "toy", "--set", "train.lr=fast"], "--set train.lr"),
        (["init", "nowhere/config.yaml"], "the folder nowhere is missing"),
        (["init", "--dataset", "imagenet"], "imagenet"),
        (["download", "imagenet"], "choose one of esc50, urbansound8k"),
        (["train", "tiny.yaml", "--resume"], "--resume: which run?"),
        (["train", "tiny.yaml", "--folds", "first"], "--folds first: expected numbers"),
        (["train", "tiny.yaml", "--folds", ""], "expected numbers"),
        (["train", "tiny.yaml", "--folds", "9"], "fold 9: not in the table, whose folds are 1, 2, 3"),
        (["train", "tiny.yaml", "--device", "banana"], "device banana: not available on this machine"),
        (["train", "tiny.yaml", "--set", "precision=fp16", "--device", "cpu"], "fp16 needs a GPU"),
        (["train", "tiny.yaml", "--set", "dataset.root=nowhere"], "nowhere"),
        (["train", "esc50.yaml"], "audiosurvey download esc50"),
        (["train", "."], "is a folder, not a config file; 'audiosurvey init my.yaml --dataset folder' writes a config"),
        (
            ["check", "table.csv"],
            "is a table, not a config file; 'audiosurvey init my.yaml --dataset csv' writes a con",
        ),
        (
            ["predict", "is.wav", "beside"],
            "is.wav: not a model; expected a folder with a model.json; the model comes first",
        ),
        (["predict", "several", "x.wav"], "several: neither a model nor a run; runs here: several/one"),
        (["predict", "tiny.yaml", "x.wav"], "contains no model, 'audiosurvey train tiny.yaml --final' makes one"),
        (["train", "tiny.yaml", "--run-dir", "tiny.yaml"], "tiny.yaml: is a file"),
        (["train", "tiny.yaml", "--run-dir", "tiny.yaml/run"], "tiny.yaml"),
        (["preview", "tiny.yaml", "--clip", "nowhere.wav"], "--clip nowhere.wav: no such clip"),
        (["preview", "tiny.yaml", "--epoch", "0"], "invalid value for '--epoch': must be at least 1"),
        (["preview", "tiny.yaml", "--output", "tiny.yaml"], "--output tiny.yaml: is a file"),
        (["preview", "tiny.yaml", "--output", "tiny.yaml/seen"], "or lies in one; give a folder"),
        (["check", "toy", "--set", "model.init=nowhere.pt"], "--set model.init: nowhere.pt: no such file or folder"),
        (["train", "toy", "--set", "model.init=nowhere.pt"], "--set model.init: nowhere.pt: no such file or folder"),
        (["check", "--schema", "toy"], "leave CONFIG out"),
        (["check", "--schema", "--set", "seed=1"], "leave CONFIG out"),
        (["train", "urbansound8k"], "'audiosurvey init --dataset urbansound8k' writes a config for it"),
        (["init", "."], ".: is a folder"),
        (["evaluate", "nowhere"], "nowhere: no such folder"),
        (["evaluate", "tiny.yaml"], "tiny.yaml: not a model; expected a folder with a model.json"),
        (["evaluate", "weights.pt"], "training can start from these weights (--set model.init=weights.pt)"),
        (["evaluate", "model.onnx"], "model.onnx: has the name of an exported file; give the model folder"),
        (["evaluate", "beside/weights.safetensors"], "did you mean beside?"),
        (["predict", "weights.pt", "x.wav"], "weights.pt: not a model; expected a folder with a model.json; training"),
        (["predict", "model.pt2", "x.wav", "--trust"], "model.pt2: cannot be read as an exported program of torch"),
        (["predict", "nowhere.pt", "x.wav"], "nowhere.pt: no such file or folder, so not a model"),
        (
            ["export", "beside", "--format", "tflite"],
            "--format tflite: not one of onnx, torch, executorch, litert, coreml, web; did you mean litert?",
        ),
        (["export", "beside", "--format", "mlpackage"], "did you mean coreml?"),
        (["export", "beside", "--format", "core-ml"], "did you mean coreml?"),
        (["export", "beside", "--format", "ONNX"], "did you mean onnx?"),
        (["evaluate", ".", "--device", "gpu"], "device gpu: not available on this machine; did you mean cuda"),
        (["evaluate", "."], "not a model"),
        (["evaluate", ".", "--device", "banana"], "device banana: not available on this machine"),
    ],
)
def test_a_mistake_is_one_line_and_status_two(command: Command, config: Path, words, said):
    Path("esc50.yaml").write_text("dataset: {name: esc50, root: nowhere}\n", encoding="utf-8")
    Path("beside").mkdir()
    Path("several/one").mkdir(parents=True)
    Path("several/one/config.yaml").touch()
    for name in (
        "weights.pt",
        "model.onnx",
        "model.pt2",
        "beside/weights.safetensors",
        "beside/model.json",
        "table.csv",
        "is.wav",
    ):
        Path(name).write_text("no", encoding="utf-8")
    mistake(command(*words), said)
    assert not Path("runs").exists()


def test_binary_and_broken_files_are_no_config(command: Command, config: Path):
    for content in (b"\x00\xff\xfe", b"a: [1, 2", b"- 1\n", b"\xff\xfea\x00"):
        Path("odd.yaml").write_bytes(content)
        status, out, err = command("check", "odd.yaml")
        assert (status, out) == (2, "")
        assert "odd.yaml" in err
        assert "Traceback" not in err


def test_check_prints_a_config_that_is_its_own_resolution(command: Command, config: Path):
    status, out, _ = command("check", config)
    assert status == 0
    Path("again.yaml").write_text(out, encoding="utf-8")
    assert command("check", "again.yaml")[1] == out
    status, as_json, _ = command("check", config, "--json", "--set", "train.lr=0.5")
    assert json.loads(as_json)["train"]["lr"] == 0.5
    assert json.loads(as_json)["dataset"]["num_folds"] == yaml.safe_load(out)["dataset"]["num_folds"]


def test_schema_is_json(command: Command):
    status, out, err = command("check", "--schema")
    assert (status, err) == (0, "")
    assert "properties" in json.loads(out)


def test_the_original_has_4050004_parameters_and_json_is_alone(command: Command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out, err = command("describe", "original", "--json")
    described = json.loads(out)
    assert status == 0
    assert described["parameters"] == 4_050_004
    assert described["classes"] == 50
    assert described["input_shape"][0] == 1
    assert described["macs"] == pytest.approx(35.0e9, rel=0.01)
    assert {"name", "output_shape", "parameters"} <= described["layers"][0].keys()
    # The empty mel filter that its f_max causes is told, on stderr.
    assert err.startswith("warning: ")


def test_the_original_config_file_is_accepted(command: Command, shared: Path):
    status, out, err = command("describe", shared / "spec" / "original-config.yaml", "--json")
    assert status == 0
    assert json.loads(out)["parameters"] == 4_050_004
    assert "nothing reaches mel filter 127" in err


def test_check_ends_with_a_verdict_on_stderr(command: Command, config: Path):
    status, out, err = command("check", config)
    assert status == 0
    assert err.splitlines()[-1] == f"{config}: valid; folder, 24 clips, 4 classes, 3 folds"
    assert yaml.safe_load(out)["dataset"]["name"] == "folder"
    assert command("check", config, "--json")[2].splitlines()[-1] == err.splitlines()[-1]
    # Of a built-in data set nothing has to be there.
    status, out, err = command("check", "original")
    assert status == 0
    assert "note: data/ESC-50: not there yet; run 'audiosurvey download esc50'" in err
    assert err.splitlines()[-1].startswith("original: valid; esc50, which is not there yet")
    mistake(command("check", config, "--set", "dataset.root=nowhere"), "--set dataset.root: nowhere: no such folder")


def test_describe_shows_a_table(command: Command, config: Path):
    status, out, _ = command("describe", "tiny.yaml", "--classes", "7")
    assert status == 0
    assert "7 classes" in out
    assert "conv_block" in out


def test_presets_are_listed_and_init_writes_one_that_checks(command: Command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out, _ = command("presets")
    assert status == 0
    assert {"original", "toy", "esc10"} <= {line.split()[0] for line in out.splitlines()}
    assert command("init", "config.yaml", "--dataset", "toy")[0] == 0
    assert command("check", "config.yaml")[0] == 0
    mistake(command("init", "config.yaml"), "already exists")
    assert command("init", "config.yaml", "--force")[0] == 0


def test_prepare_says_where_and_what(command: Command, config: Path):
    status, out, _ = command("prepare", config)
    assert status == 0
    assert out.startswith("24 clips, 0 skipped")


def test_preview_names_its_files(command: Command, config: Path):
    status, out, _ = command(
        "preview", config, "--clip", "low/0.wav", "--epoch", "1", "--epoch", "2", "--output", "seen",
        "--set", "augmentation.noise.p=1",
    )  # fmt: skip
    assert status == 0
    files = [Path(line) for line in out.splitlines()]
    assert len(files) == 8
    assert all(file.is_file() for file in files)


def test_train_and_evaluate_in_words_and_in_json(command: Command, config: Path):
    status, out, err = command("train", config, "--run-dir", "run", "--folds", "1,2", "--device", "cpu")
    assert status == 0
    assert "mean" in out
    assert "own folds; there is no official protocol for this data" in out
    assert out.splitlines()[-1] == f"results: {Path('run') / 'results.json'}"
    for words in ("data: folder, 24 clips, 4 classes, 3 folds", "parameters", "MMAC", "folds to train: 1, 2", "about "):
        assert words in err
    assert sum(": epoch " in line for line in err.splitlines()) == 4
    status, out, err = command("train", config, "--run-dir", "run", "--resume", "--json", "--device", "cpu")
    results = json.loads(out)
    assert status == 0
    assert [row["fold"] for row in results["folds"]] == [1, 2, 3]
    assert results == json.loads(Path("run/results.json").read_text(encoding="utf-8"))
    status, out, _ = command("evaluate", "run", "--json", "--reverse", "--device", "cpu")
    assert status == 0
    assert json.loads(out)["mean"]["accuracy"] == results["mean"]["accuracy"]
    root = yaml.safe_load(config.read_text(encoding="utf-8"))["dataset"]["root"]
    status, out, _ = command("evaluate", "run/fold-1/model", "--data", root)
    assert status == 0
    assert "trained on the recordings of 16 of these clips" in out
    assert "classes on clips not trained on, worst first by F1" in out
    status, out, err = command("evaluate", "run", "--output", "seen")
    assert (status, sorted(path.name for path in Path("seen").iterdir())) == (
        0,
        ["classes.csv", "confusion.png", "mixed_up.csv", "predictions.csv"],
    )
    assert "wrote predictions.csv" in err
    mistake(command("evaluate", "run", "--output", "seen"), "already exists; give another name, or --force")
    mistake(command("evaluate", "run", "--output", "run/seen"), "lies in the run folder")


def test_optimistic_is_said_before_and_after(command: Command, config: Path):
    words = ("--set", "protocol.selection=test", "--set", "train.epochs=1", "--folds", "1")
    _, out, err = command("train", config, "--run-dir", "run", *words)
    assert "optimistic: the epoch is chosen on the test fold itself" in err
    assert "optimistic: the epoch was chosen on the test fold" in out
    assert json.loads(Path("run/results.json").read_text(encoding="utf-8"))["optimistic"] is True
    assert "optimistic" in command("evaluate", "run")[1]


def test_an_existing_folder_is_left_alone(command: Command, config: Path):
    Path("run").mkdir()
    Path("run/notes.txt").write_text("mine", encoding="utf-8")
    mistake(command("train", config, "--run-dir", "run"), "run: already exists; give --resume")
    mistake(command("train", config, "--run-dir", "run", "--resume"), "not a run folder")
    assert [path.name for path in Path("run").iterdir()] == ["notes.txt"]


def test_resume_with_another_config_names_the_keys(command: Command, config: Path):
    run = ("train", config, "--run-dir", "run", "--folds", "1", "--set", "train.epochs=1")
    mistake(command(*run, "--resume"), "run: no such run folder to continue; leave --resume out")
    assert command(*run)[0] == 0
    before = {path: path.stat().st_mtime_ns for path in Path("run").rglob("*")}
    mistake(command(*run, "--resume", "--set", "train.lr=0.5", "--set", "seed=3"), "train.lr", "seed", lines=3)
    mistake(command(*run), "already exists")
    assert {path: path.stat().st_mtime_ns for path in Path("run").rglob("*")} == before


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("augmentation.reverb={p: 0.5, folder: nowhere}", "nowhere"),
        ("train.lr=1e30", "lower train.lr"),
        ("pretrain.dataset={name: folder, root: ROOT}", "nothing is left"),
        ("model.init=nowhere.pt", "nowhere.pt"),
    ],
)
def test_a_refused_start_is_not_in_the_way_of_the_mended_one(command: Command, config: Path, wrong, said):
    root = yaml.safe_load(config.read_text(encoding="utf-8"))["dataset"]["root"]
    run = ("train", config, "--run-dir", "deep/run", "--folds", "1", "--device", "cpu", "--set", "train.epochs=1")
    status, _, err = command(*run, "--set", "tracking=[tensorboard]", "--set", wrong.replace("ROOT", root))
    assert status == 2, err
    assert said in err.splitlines()[-1]
    assert not Path("deep").exists()
    assert command(*run)[0] == 0


def test_a_folder_that_cannot_be_written_is_one_line(command: Command, config: Path):
    if sys.platform == "win32" or os.geteuid() != 0:
        locked = Path("locked")
        locked.mkdir(mode=0o500)
    else:
        locked = Path("/proc")
    mistake_lines = command("train", config, "--run-dir", locked / "run")[2].splitlines()
    assert "locked" in mistake_lines[-1] or "/proc" in mistake_lines[-1]
    assert not any("Traceback" in line for line in mistake_lines)


def test_warnings_do_not_reach_stdout(command: Command, config: Path):
    status, out, err = command("check", config, "--json", "--set", "mel_spectrogram.f_max=6000")
    assert status == 0
    assert json.loads(out)["mel_spectrogram"]["f_max"] == 6000
    assert err.startswith("warning: ")


def test_interruption_is_told(command: Command, config: Path, monkeypatch):
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("audiosurvey.train", interrupt)
    status, out, err = command("train", config, "--run-dir", "run")
    assert (status, out) == (130, "")
    assert err.splitlines()[-1] == "interrupted"


def test_an_interrupted_training_names_the_command_that_continues_it(command: Command, config: Path, monkeypatch):
    words = ["--folds", "1", "--set", "train.epochs=1", "--set", "tracking=[ ]", "--final", "--no-detection"]

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("audiosurvey.runs.plan.run_inline", interrupt)
        status, out, err = command("train", config, *words)
    assert (status, out) == (130, "")
    said, again = err.splitlines()[-1].split(": ", 1)
    assert said == "interrupted; this continues"
    parts = shlex.split(again)
    run = Path(parts[parts.index("--run-dir") + 1])
    assert run.parent == Path("runs")
    assert "--set 'tracking=[ ]'" in again
    assert {*words, "--resume"} <= set(parts)
    status, _, err = command(*parts[1:])
    assert status == 0, err
    assert (run / "model" / "model.json").is_file()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["survey", "my survey.yaml", "--jobs", 2],
            "interrupted; this continues: audiosurvey survey 'my survey.yaml' --jobs 2",
        ),
        (["robustness", "runs/a"], "interrupted; this continues: audiosurvey robustness runs/a"),
        (["evaluate", "runs/a"], "interrupted"),
    ],
)
@pytest.mark.skipif(os.name != "posix", reason="another shell quotes in another way")
def test_other_commands_say_whether_they_continue(command: Command, monkeypatch, words: list[object], said: str):
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    Path("runs/a").mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr(f"audiosurvey.{words[0]}", interrupt)
    assert command(*words) == (130, "", f"{said}\n")


def test_a_reader_that_has_gone_is_no_traceback(process):
    gone = process("presets")
    gone.stdout.close()
    assert "Traceback" not in gone.stderr.read()


def test_a_config_that_cannot_be_written_is_one_line(command: Command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def refuse(self: Path, *args: object, **options: object) -> int:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "write_text", refuse)
    mistake(command("init", "x.yaml"), "x.yaml: cannot be written (Permission denied); give another path")
