"""A damaged file of a run, or one that another version wrote: one line that names it, and nothing is lost."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from measured import without_measured

Command = Callable[..., tuple[int, str, str]]
Damage = Callable[[bytes], bytes]


def half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def no_end(data: bytes) -> bytes:
    """Cut where a key ends: what is left is a valid config."""
    return data[: data.index(b"\nloss:") + 1]


def empty(data: bytes) -> bytes:
    return b""


def binary(data: bytes) -> bytes:
    return b"\x00\xff\xfe" + data[:100]


def a_list(data: bytes) -> bytes:
    return b"[1, 2]"


def a_mapping(data: bytes) -> bytes:
    return b"{}"


def other_schema(data: bytes) -> bytes:
    return json.dumps(json.loads(data) | {"schema": 7, "version": "9.8.7"}).encode()


def rows_of_words(data: bytes) -> bytes:
    return json.dumps(json.loads(data) | {"folds": ["one", "two"]}).encode()


def no_accuracy(data: bytes) -> bytes:
    results = json.loads(data)
    del results["folds"][0]["accuracy"]
    return json.dumps(results).encode()


def short_confusion(data: bytes) -> bytes:
    return json.dumps(json.loads(data) | {"confusion": [[1, 2], [3]]}).encode()


def unknown_key(data: bytes) -> bytes:
    return data.replace(b"train:\n", b"train:\n  warp: 3\n")


def other_tensors(data: bytes) -> bytes:
    from safetensors.torch import load, save

    metadata = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    return save({f"other.{name}": tensor for name, tensor in load(data).items()}, metadata)


def no_journal(data: bytes) -> bytes:
    from safetensors.torch import load, save

    return save(load(data))


EVALUATE, RUNS = ("evaluate", "run"), ("runs", ".")
RESUME = ("train", "tiny.yaml", "--run-dir", "run", "--resume", "--device", "cpu")
FINAL = (*RESUME, "--final")
AUTO = (*RESUME, "--set", "precision=auto")
MERGE = ("merge", "whole", "run")
PREDICT, EXPORT = ("predict", "run", "tone.wav"), ("export", "run")
ELSEWHERE = ("evaluate", "run/fold-1/model", "--data", "tones")
INIT = ("train", "tiny.yaml", "--run-dir", "new", "--set", "model.init=run/fold-1/model", "--folds", "1")
TEXT = (half, empty, binary)
JSON = (*TEXT, a_list, a_mapping)
TENSORS = (half, empty, binary)
REFUSED = {
    "run/results.json": (
        (*JSON, other_schema, rows_of_words, no_accuracy, short_confusion),
        (EVALUATE, RESUME, FINAL, MERGE),
    ),
    "run/config.yaml": ((half, no_end, empty, binary, a_list, unknown_key), (EVALUATE, RESUME)),
    "run/environment.json": (JSON, (RESUME, AUTO)),
    "run/fold-3/checkpoint/state.safetensors": ((*TENSORS, other_tensors, no_journal), (RESUME,)),
    "run/final/checkpoint/state.safetensors": (TENSORS, (FINAL,)),
    "run/final/plan.json": (TEXT, (FINAL,)),
    "run/fold-1/predictions.csv": (TEXT, (FINAL,)),
    "run/fold-1/model/model.json": (JSON, (EVALUATE, ELSEWHERE, INIT)),
    "run/fold-1/model/config.yaml": ((empty, binary), (EVALUATE, INIT)),
    "run/fold-1/model/weights.safetensors": (TENSORS, (EVALUATE, ELSEWHERE, INIT)),
    "run/model/model.json": (JSON, (PREDICT, EXPORT)),
    "run/model/config.yaml": (TEXT, (PREDICT, EXPORT)),
    "run/model/weights.safetensors": (TENSORS, (PREDICT, EXPORT)),
    "run/model/golden.safetensors": (TENSORS, (PREDICT, EXPORT)),
    "run/model/trained_on.json": (JSON, (PREDICT, EXPORT)),
}
CASES = [
    pytest.param(file, damage, words, id=f"{file}-{damage.__name__}-{words[0]}-{len(words)}")
    for file, (damages, commands) in REFUSED.items()
    for damage in damages
    for words in commands
]


@pytest.fixture
def folder(final_run: Path, tones: Path, tiny_yaml: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A whole run `whole`, and `run`, the same with its third fold and its final model trained
    but not yet recorded."""
    monkeypatch.chdir(tmp_path)
    for name in ("run", "whole"):
        shutil.copytree(final_run, tmp_path / name)
    results = json.loads(Path("run/results.json").read_text(encoding="utf-8"))
    results["folds"].pop()
    results["final"] = None
    Path("run/results.json").write_text(json.dumps(results), encoding="utf-8")
    Path("run/fold-3/result.json").unlink()
    Path("run/final/result.json").unlink()
    shutil.copytree(tones, "tones")
    shutil.copy(tones / "low" / "0.wav", "tone.wav")
    text = tiny_yaml.replace("epochs: 2", "epochs: 6").replace("tracking: []", "tracking: [tensorboard]")
    Path("tiny.yaml").write_text(text, encoding="utf-8")
    return tmp_path


def harm(file: str, damage: Damage) -> None:
    path = Path(file)
    before = path.read_bytes()
    path.write_bytes(damage(before))
    assert path.read_bytes() != before


def inside(folder: str) -> dict[Path, bytes]:
    """Everything but logs, which are written anew from the checkpoints, and the lock."""
    kept = (path for path in sorted(Path(folder).rglob("*")) if path.is_file())
    return {path: path.read_bytes() for path in kept if path.name not in ("lock",) and "tfevents" not in path.name}


@pytest.mark.parametrize(("file", "damage", "words"), CASES)
def test_one_line_names_the_file(folder: Path, command: Command, file, damage, words):
    harm(file, damage)
    before = inside("run")
    status, out, err = command(*words)
    said = [line for line in err.splitlines() if not line.startswith(("data: ", "network: ", "protocol: "))]
    assert (status, out) == (2, ""), err
    assert file in said[-1] or (Path(file).name in said[-1] and str(Path(file).parent) in said[-1]), err
    assert "; " in said[-1], "the mend"
    after = inside("run")
    # A final model comes after the folds, the third of which is recorded before the damage is met.
    assert after == before or (words == FINAL and before.keys() <= after.keys())
    assert after[Path(file)] == before[Path(file)]
    assert not Path("new").exists()


def test_what_is_advised_mends_it(folder: Path, command: Command):
    """results.json is written anew from the checkpoints, with nothing trained again."""
    wanted = json.loads(Path("whole/results.json").read_text(encoding="utf-8"))
    harm("run/results.json", half)
    _, _, err = command(*FINAL)
    advised = "audiosurvey train run/config.yaml --run-dir run --resume"
    assert err.splitlines()[-1].startswith(f"{Path('run/results.json')}: damaged, not JSON; remove run/results.json")
    assert advised in err
    Path("run/results.json").unlink()
    status, _, err = command(*advised.split()[1:], "--device", "cpu", "--final")
    assert status == 0, err
    assert "epoch 1/6" not in err
    written = json.loads(Path("run/results.json").read_text(encoding="utf-8"))
    assert without_measured(written) == without_measured(wanted)
    assert written["seconds"] == wanted["seconds"]


def test_a_run_of_another_version_is_named_with_it(folder: Path, command: Command):
    harm("run/results.json", other_schema)
    for words in (EVALUATE, RESUME, MERGE):
        assert command(*words)[2].endswith("results of schema 7; this version reads 1; use audiosurvey 9.8.7\n")


def test_curves_are_drawn_without_a_damaged_line(folder: Path, command: Command):
    harm("run/fold-1/metrics.jsonl", half)
    assert command(*RESUME)[0] == 0
    harm("run/fold-1/metrics.jsonl", binary)
    assert command(*RESUME)[0] == 0
