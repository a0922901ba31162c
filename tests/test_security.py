"""Files from somebody else: whatever they hold, opening them runs nothing. Each way into the process has its test.

SECURITY.md lists the ways. Most tests here plant a pickle that leaves a mark on the disk when it is unpickled.
"""

import ast
import hashlib
import io
import json
import os
import pickle
import re
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import audiosurvey
from audiosurvey.artefact.folder import Model
from audiosurvey.artefact.load import ModelLibrary
from audiosurvey.config.loader import load_config, load_text
from audiosurvey.errors import UserError
from audiosurvey.model.weights.weightfile import read_weights
from audiosurvey.runs.stages.starting import open_pretrained

Command = Callable[..., tuple[int, str, str]]
REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGE = REPOSITORY / "src" / "audiosurvey"
YAML_CALL = "!!python/object/apply:os.mkdir ['{mark}']"


class Payload:
    """Makes a folder when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.mark),)


@pytest.fixture
def mark(tmp_path: Path) -> Iterator[Path]:
    """The place of the mark; the test fails if something was run."""
    place = tmp_path / "something-was-run"
    yield place
    assert not place.exists()


@pytest.fixture
def payload(tmp_path: Path) -> bytes:
    return pickle.dumps(Payload(tmp_path / "something-was-run"))


@pytest.fixture
def folder(finished_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished_run / "fold-1" / "model", tmp_path / "model"))


def signed(folder: Path) -> None:
    """Makes the checksums of model.json right again, as whoever plants something would."""
    facts = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    others = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in facts["sha256"]
        if name != "model.json"
    }
    text = json.dumps(facts | {"sha256": others}, sort_keys=True)
    facts["sha256"] = {**others, "model.json": hashlib.sha256(text.encode()).hexdigest()}
    (folder / "model.json").write_text(json.dumps(facts), encoding="utf-8")


@pytest.fixture
def planted_pt2(tmp_path: Path, payload: bytes) -> Path:
    """The layout of torch.export with a pickle among its sample inputs."""
    path = tmp_path / "model.pt2"
    program = torch.export.export(torch.nn.Linear(4, 2), (torch.zeros(1, 4),))
    torch.export.save(program, tmp_path / "plain.pt2")
    with zipfile.ZipFile(tmp_path / "plain.pt2") as plain, zipfile.ZipFile(path, "w") as planted:
        for member in plain.infolist():
            inputs = member.filename.endswith("sample_inputs/model.pt")
            planted.writestr(member, payload if inputs else plain.read(member))
    return path


def test_a_planted_pt2_does_run_code(planted_pt2: Path, tmp_path: Path):
    """What the refusal is for: the file of the next tests is a real one."""
    from audiosurvey.artefact.exported import load_exported

    with pytest.raises(UserError, match="cannot be read"):
        load_exported(planted_pt2, trust=True)
    assert (tmp_path / "something-was-run").is_dir()


def test_pt2_is_opened_only_on_trust(planted_pt2: Path, mark: Path, command: Command, tmp_path: Path):
    warning = r"model\.pt2: opening a \.pt2 file can run code.*model folder or an ONNX file.*give "
    said = warning + "trust=True"
    with pytest.raises(UserError, match=said) as raised:
        audiosurvey.load(planted_pt2)
    assert len(raised.value.lines) == 1
    with pytest.raises(UserError, match=said):
        ModelLibrary(planted_pt2)["model.pt2"]
    for words in (("predict", planted_pt2, tmp_path), ("demo", planted_pt2, "--port", "0")):
        status, out, err = command(*words)
        assert (status, out, len(err.splitlines())) == (2, "", 1), err
        assert re.search(warning + "--trust", err)


def test_commands_that_take_no_exported_file_do_not_open_it(planted_pt2: Path, mark: Path, command: Command):
    for words in (("evaluate", planted_pt2), ("export", planted_pt2), ("push", planted_pt2, "me/model")):
        assert command(*words)[0] == 2


def test_pt2_among_other_models_is_left_to_whoever_asks_for_it(
    planted_pt2: Path, mark: Path, folder: Path, tmp_path: Path
):
    shutil.copytree(folder, tmp_path / "models" / "safe")
    shutil.copy(planted_pt2, tmp_path / "models")
    shelf = ModelLibrary(tmp_path / "models")
    assert shelf.first_usable() == "safe"
    with pytest.raises(UserError, match="trust=True"):
        shelf["model.pt2"]


def test_pt2_of_ones_own_is_opened_on_trust(
    model_of_tones: Model, tmp_path: Path, command: Command, tones: Path, monkeypatch: pytest.MonkeyPatch
):
    from audiosurvey.exporting.export import export

    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")
    path = tmp_path / "own.pt2"
    export(model_of_tones, path, "torch")
    sound = tones / "low" / "0.wav"
    wanted = pytest.approx(model_of_tones.predict(sound), abs=1e-4)
    assert audiosurvey.load(path, trust=True).predict(sound) == wanted
    assert ModelLibrary(path, trust=True)["own.pt2"].predict(sound) == wanted
    status, out, err = command("predict", path, sound, "--trust", "--device", "cpu")
    assert status == 0, err
    assert "0.wav" in out


@pytest.fixture
def model_of_tones(finished_run: Path) -> Model:
    model = audiosurvey.load(finished_run / "fold-1" / "model")
    assert isinstance(model, Model)
    return model


def tar_checkpoint(path: Path, payload: bytes) -> None:
    """The oldest form of torch.save."""
    with tarfile.open(path, "w") as tar:
        for name in ("sys_info", "pickle", "tensors", "storages"):
            member = tarfile.TarInfo(name)
            member.size = len(payload)
            tar.addfile(member, io.BytesIO(payload))


@pytest.mark.parametrize("form", ["zip.pt", "legacy.pth", "tar.ckpt", "plain.bin", "program.pt2", "fake.safetensors"])
def test_checkpoints_are_read_as_tensors_only(
    form: str, mark: Path, payload: bytes, planted_pt2: Path, tmp_path: Path, tiny: Callable[..., Any]
):
    path = tmp_path / form
    if form in ("zip.pt", "legacy.pth"):
        zipped = form == "zip.pt"
        torch.save({"a": torch.zeros(2), "b": Payload(mark)}, path, _use_new_zipfile_serialization=zipped)
    elif form == "tar.ckpt":
        tar_checkpoint(path, payload)
    elif form == "program.pt2":
        shutil.copy(planted_pt2, path)
    else:
        path.write_bytes(payload)
    with pytest.raises(UserError) as raised:
        read_weights(path)
    assert len(raised.value.lines) == 1
    # The same file as model.init, whether it is refused at the check of the config or when it is opened.
    with pytest.raises(UserError):
        open_pretrained(tiny(f"model.init={path.as_posix()}").config)


def test_a_torchscript_archive_is_no_file_of_weights(mark: Path, tmp_path: Path):
    with pytest.warns():
        torch.jit.script(torch.nn.Linear(2, 2)).save(str(tmp_path / "script.pt"))
    with pytest.raises(UserError, match="not a file of weights"):
        read_weights(tmp_path / "script.pt")


@pytest.mark.parametrize(
    "name", ["weights.safetensors", "golden.safetensors", "config.yaml", "trained_on.json", "model.json"]
)
@pytest.mark.parametrize("form", ["pickle", "yaml"])
def test_no_file_of_a_model_folder_runs_anything(
    name: str, form: str, folder: Path, mark: Path, payload: bytes, tmp_path: Path
):
    content = payload if form == "pickle" else f"a: {YAML_CALL.format(mark=mark)}\n".encode()
    (folder / name).write_bytes(content)
    if name != "model.json":
        signed(folder)
    with pytest.raises(UserError) as raised:
        audiosurvey.load(folder)
    assert len(raised.value.lines) == 1


def test_golden_clips_of_another_form_are_refused(folder: Path):
    from safetensors.torch import save_file

    save_file({"pcm": torch.zeros(2)}, folder / "golden.safetensors", {"clips": "1", "labels": "2"})
    signed(folder)
    with pytest.raises(UserError, match="contains no golden clips"):
        audiosurvey.load(folder)


def test_a_model_reads_no_file_outside_its_folder(folder: Path, tmp_path: Path):
    (tmp_path / "secret").write_text("secret")
    facts = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    facts["sha256"]["../secret"] = hashlib.sha256(b"secret").hexdigest()
    (folder / "model.json").write_text(json.dumps(facts), encoding="utf-8")
    signed(folder)
    with pytest.raises(UserError, match="do not belong to a model"):
        audiosurvey.load(folder)


def onnx_with_external_data(path: Path, location: str, where: str) -> None:
    onnx = pytest.importorskip("onnx")
    tensor = onnx.TensorProto(name="w", data_type=1, dims=[4], data_location=onnx.TensorProto.EXTERNAL)
    for key, value in {"location": location, "offset": "0", "length": "16"}.items():
        tensor.external_data.add(key=key, value=value)
    info = [onnx.helper.make_tensor_value_info(name, 1, [4]) for name in "xy"]
    nodes = [onnx.helper.make_node("Add", ["x", "w"], ["y"])]
    if where == "constant":
        nodes.insert(0, onnx.helper.make_node("Constant", [], ["w"], value=tensor))
    inner = onnx.helper.make_graph(nodes, "g", info[:1], info[1:], [tensor] if where == "initializer" else [])
    if where == "subgraph":
        inner = onnx.helper.make_graph(nodes, "g", [], info[1:], [tensor])
        condition = onnx.helper.make_tensor("c", onnx.TensorProto.BOOL, [], [True])
        branch = onnx.helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
        inner = onnx.helper.make_graph([branch], "g", info[:1], info[1:], [condition])
    model = onnx.helper.make_model(inner, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=8)
    path.write_bytes(model.SerializeToString())


@pytest.mark.parametrize("where", ["initializer", "constant", "subgraph"])
@pytest.mark.parametrize("location", ["beside.bin", "../secret.bin", "/etc/passwd"])
def test_onnx_takes_no_weights_from_other_files(location: str, where: str, tmp_path: Path):
    pytest.importorskip("onnxruntime")
    for name in ("model/beside.bin", "secret.bin"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(bytes(16))
    path = tmp_path / "model" / "model.onnx"
    onnx_with_external_data(path, location, where)
    with pytest.raises(UserError, match="loads weights from other files"):
        audiosurvey.load(path)


@pytest.mark.parametrize("name", ["model.onnx", "model.pte"])
def test_a_pickle_under_the_name_of_an_exported_file(name: str, mark: Path, payload: bytes, tmp_path: Path):
    (tmp_path / name).write_bytes(payload)
    with pytest.raises(UserError):
        audiosurvey.load(tmp_path / name)


@pytest.mark.parametrize(
    "yaml",
    ["train: {call}\n", "? {call}\n: 1\n", "a: &a {call}\nb: *a\n", "%TAG ! tag:yaml.org,2002:python/\n---\na: 1\n"],
)
def test_a_config_runs_nothing(yaml: str, mark: Path, tmp_path: Path):
    (tmp_path / "config.yaml").write_text(yaml.replace("{call}", YAML_CALL.format(mark=mark)))
    with pytest.raises(UserError):
        load_config(str(tmp_path / "config.yaml"), ())
    with pytest.raises(UserError):
        load_config("tiny", (f"train={YAML_CALL.format(mark=mark)}",))


def test_a_config_whose_aliases_multiply_is_refused():
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(UserError, match="aliases multiply"):
        load_text("\n".join(lines), "bomb.yaml")


@pytest.mark.parametrize("name", ["config.yaml", "environment.json", "results.json", "init.json"])
def test_no_file_of_a_run_runs_anything(
    name: str, finished_run: Path, mark: Path, payload: bytes, tmp_path: Path, command: Command
):
    for content in (payload, f"a: {YAML_CALL.format(mark=mark)}\n".encode()):
        run = Path(shutil.copytree(finished_run, tmp_path / "runs" / "run", dirs_exist_ok=True))
        (run / name).write_bytes(content)
        for words in (("runs", run.parent), ("evaluate", run, "--device", "cpu"), ("merge", run, run)):
            status, _, err = command(*words)
            assert "Traceback" not in err
            assert status in (0, 2)


def test_a_checkpoint_of_a_run_runs_nothing(mark: Path, payload: bytes, tmp_path: Path):
    from audiosurvey.runs.results.fold_log import read_history
    from audiosurvey.training.checkpoint import read_state

    (tmp_path / "state.safetensors").write_bytes(payload)
    with pytest.raises(UserError, match="damaged"):
        read_state(tmp_path / "state.safetensors")
    (tmp_path / "metrics.jsonl").write_bytes(payload)
    assert read_history(tmp_path) == []


def test_the_cache_runs_nothing(tones: Path, mark: Path, payload: bytes, tmp_cache: Path):
    """Stores, content hashes and rooms are found again by name: whoever can write there must not run anything."""
    from audiosurvey.augment.wave.rooms import _bank_file, room_bank
    from audiosurvey.data.sounds import prepare_sounds as prepare

    config = load_text(f"dataset: {{name: folder, root: '{tones.as_posix()}'}}", "c.yaml").config
    store = prepare(config.dataset, 8000).store
    for file in (*store.folder.iterdir(), tmp_cache / "fingerprints.sqlite"):
        file.write_bytes(payload)
    again = prepare(config.dataset, 8000).store
    assert len(again) == len(store)
    bank = _bank_file(8000, 32, 0)
    bank.parent.mkdir(parents=True)
    np.savez(bank, room=np.array([Payload(mark)], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        room_bank(8000)


def test_a_journal_runs_nothing(
    mark: Path,
    payload: bytes,
    finished_run: Path,
    tones: Path,
    tmp_path: Path,
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")
    (tmp_path / "out.csv.journal").write_bytes(payload + b"\n")
    model = finished_run / "fold-1" / "model"
    status, _, err = command("predict", model, tones / "low", "--output", tmp_path / "out.csv")
    assert status == 2
    assert "not a journal of predict" in err


@pytest.mark.parametrize("text", ["=cmd()", "{{ 7 * 7 }}", "${7*7}", "<script>alert(1)</script>", "__import__('os')"])
def test_cells_of_a_table_are_text(text: str, tones: Path, tmp_path: Path, mark: Path):
    from audiosurvey.data.dataset import load_table

    (tmp_path / "clips.csv").write_text(
        f'path,label\nlow/0.wav,"{text}"\nmid/0.wav,other\nlow/1.wav,"{text}"\nmid/1.wav,other\n', encoding="utf-8"
    )
    table = (tmp_path / "clips.csv").as_posix()
    yaml = f"dataset: {{name: csv, root: '{tones.as_posix()}', table: '{table}', num_folds: 2}}"
    assert text in load_table(load_text(yaml, "c.yaml").config.dataset).classes


def test_a_repository_of_the_hub_is_asked_for_known_files_only():
    from audiosurvey.artefact.folder import FILES

    assert {Path(name).suffix for name in FILES} == {".safetensors", ".yaml", ".json", ".md"}
    assert not any(sign in name for name in FILES for sign in "*/\\")


FORBIDDEN = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "os.system",
    "os.popen",
    "pickle.load",
    "pickle.loads",
    "pickle.Unpickler",
    "marshal.loads",
    "shelve.open",
    "joblib.load",
    "pd.read_pickle",
    "yaml.load",
    "yaml.full_load",
    "yaml.unsafe_load",
    "torch.jit.load",
    "torch.hub.load",
    "subprocess.Popen",
    "tarfile.TarFile.extractall",
}
NEEDS = {"torch.load": ("weights_only", True), "np.load": ("allow_pickle", False)}
ALLOWED_ONCE = {"torch.export.load": "artefact/exported.py", "subprocess.run": "exporting/web/runtime.py"}
"""The one place of each: a file that the user trusts, and npm, with a fixed name and version and without scripts."""


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return f"{dotted(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else ""


def calls() -> Iterator[tuple[str, str, ast.Call]]:
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield file.relative_to(PACKAGE).as_posix(), dotted(node.func), node


def test_the_source_calls_nothing_that_runs_what_it_reads():
    found = [f"{place}: {name}" for place, name, _ in calls() if name in FORBIDDEN or name.endswith(".extractall")]
    assert found == []
    for place, name, call in calls():
        if name in NEEDS:
            key, wanted = NEEDS[name]
            given = [word.value for word in call.keywords if word.arg == key]
            assert [value.value for value in given if isinstance(value, ast.Constant)] == [wanted], f"{place}: {name}"
    assert {name: place for place, name, _ in calls() if name in ALLOWED_ONCE} == ALLOWED_ONCE


def test_every_test_that_security_md_names_is_there():
    text = (REPOSITORY / "SECURITY.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", text))
    assert len(named) > 20
    for file, test in named:
        assert f"def {test}(" in (REPOSITORY / file).read_text(encoding="utf-8"), f"{file}::{test}"
