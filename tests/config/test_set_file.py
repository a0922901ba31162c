"""`dataset: {spec: FILE}`: a published data set that a file describes, like Speech Commands with its official split."""

import csv
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiosurvey.config.loader import LoadedConfig, load_text
from audiosurvey.data.dataset import DatasetConfig, load_table
from audiosurvey.errors import UserError

RATE = 8000
SPEC = """\
name: two_commands
title: Two Commands
citation: Somebody (2026), Two Commands
url: https://example.org
licence: CC BY 4.0
table: lists/all.csv
columns: {path: file, label: word, source: speaker, split: part, fold: null}
classes: ["no", "yes"]
clips: 16
clip_seconds: 0.5
"""
SIDES = ("training", "training", "validation", "testing")


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two words by eight speakers, with the file that describes them: its path."""
    root = tmp_path / "commands"
    rng = np.random.default_rng(0)
    rows = []
    for word, hertz in {"yes": 400, "no": 1500}.items():
        (root / word).mkdir(parents=True)
        for speaker in range(8):
            tone_S = 0.3 * np.sin(2 * np.pi * hertz * np.arange(RATE // 2) / RATE + speaker)
            soundfile.write(root / word / f"{speaker}.wav", tone_S + 0.02 * rng.standard_normal(len(tone_S)), RATE)
            rows.append([f"{word}/{speaker}.wav", word, f"speaker{speaker}", SIDES[speaker // 2]])
    (root / "lists").mkdir()
    with (root / "lists" / "all.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["file", "word", "speaker", "part"], *rows])
    digest = hashlib.sha256((root / "lists" / "all.csv").read_bytes()).hexdigest()
    (root / "set.yaml").write_text(f"{SPEC}table_sha256: {digest}\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return root / "set.yaml"


def load(text: str = "dataset: {spec: commands/set.yaml}", *overrides: str) -> LoadedConfig:
    return load_text(text + "\n", "my.yaml", overrides)


def faults(text: str, *overrides: str) -> tuple[str, ...]:
    with pytest.raises(UserError) as caught:
        load(text, *overrides)
    return caught.value.lines


def change(spec: Path, old: str, new: str) -> None:
    text = spec.read_text(encoding="utf-8")
    assert old in text
    spec.write_text(text.replace(old, new), encoding="utf-8")


def test_the_file_is_the_whole_section(commands: Path) -> None:
    dataset = load().config.dataset
    assert (dataset.name, dataset.root, dataset.table) == ("csv", Path("commands"), Path("lists/all.csv"))
    assert (dataset.columns.split, dataset.clip_seconds, dataset.licence) == ("part", 0.5, "CC BY 4.0")
    table = load_table(dataset)
    assert (table.name, table.classes, table.licence) == ("two_commands", ("no", "yes"), "CC BY 4.0")
    assert (table.official, table.published, table.published_folds) == (True, True, True)
    assert [clip.side for clip in table.clips[::2][:4]] == ["train", "train", "val", "test"]


def test_what_it_says_is_stored(commands: Path) -> None:
    """A run needs the file no more."""
    loaded = load()
    commands.unlink()
    again = load_text(loaded.resolved_yaml(), "config.yaml")
    assert again.config == loaded.config
    assert load_table(again.config.dataset).official
    assert "citation: Somebody (2026), Two Commands" in loaded.resolved_yaml()


def test_a_copy_elsewhere_and_shorter_windows(commands: Path, tmp_path: Path) -> None:
    (tmp_path / "shared.yaml").write_bytes(commands.read_bytes())
    dataset = load("dataset: {spec: shared.yaml, root: commands, clip_seconds: 0.25}").config.dataset
    assert (dataset.root, dataset.clip_seconds) == (Path("commands"), 0.25)
    assert load_table(dataset).official


def test_it_can_be_pretrained_on(commands: Path) -> None:
    config = load("pretrain: {dataset: {spec: commands/set.yaml}}").config
    assert config.pretrain_dataset is not None
    assert load_table(config.pretrain_dataset).name == "two_commands"


def test_faults_of_the_file_have_its_lines(commands: Path) -> None:
    change(commands, "name: two_commands", "name: Two Commands")
    change(commands, "licence:", "license:")
    change(commands, "clips: 16", "clips: many")
    found = faults("dataset: {spec: commands/set.yaml}")
    assert [line.split(": ")[:2] for line in found] == [
        ["commands/set.yaml:1", "name"],
        ["commands/set.yaml:5", "license"],
        ["commands/set.yaml:9", "clips"],
    ]
    assert found[1].endswith("did you mean licence?")
    commands.write_text("name: x\n", encoding="utf-8")
    assert faults("dataset: {spec: commands/set.yaml}") == ("commands/set.yaml:1: table: missing; it has no default",)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "dataset: {spec: gone.yaml}",
            "my.yaml:1: dataset.spec: gone.yaml: cannot be read (No such file or directory)",
        ),
        (
            "dataset:\n  spec: commands/set.yaml\n  licence: MIT",
            "my.yaml:3: dataset.licence: is given by commands/set.yaml; leave it out",
        ),
        (
            "dataset:\n  spec: commands/set.yaml\n  name: folder",
            "my.yaml:3: dataset.name: a data set with a spec is a table; leave the name out",
        ),
        (
            "dataset:\n  spec: commands/set.yaml\n  windows: {seconds: 5}",
            "my.yaml:3: dataset.windows: cannot be combined with spec",
        ),
    ],
)
def test_faults_of_the_config_have_its_lines(commands: Path, text: str, line: str) -> None:
    assert faults(text) == (line,)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("clips: 16", "clips: 17", "16 clips instead of 17"),
        ('["no", "yes"]', '["no", "yes", "up"]', "no clips of up"),
    ],
)
def test_what_is_not_as_published_is_not_official(commands: Path, old: str, new: str, why: str) -> None:
    change(commands, old, new)
    table = load_table(load().config.dataset)
    assert (table.official, table.published, table.published_folds) == (False, True, False)
    assert f"not two_commands as published: {why}; the folds do not count as official" in table.notes


def test_a_changed_table_is_not_official(commands: Path) -> None:
    change(commands.parent / "lists" / "all.csv", "speaker7,testing", "speaker7,training")
    table = load_table(load().config.dataset)
    assert not table.official
    assert (
        "not two_commands as published: all.csv has another SHA-256; the folds do not count as official" in table.notes
    )


def test_a_selection_of_classes_is_not_official(commands: Path) -> None:
    assert not load_table(
        load("dataset: {spec: commands/set.yaml, classes: ['yes']}").config.dataset, divide=False
    ).official


def test_a_set_without_official_folds(commands: Path) -> None:
    change(commands, "split: part", "split: null")
    with pytest.raises(UserError, match="no column of the table gives the official folds or sides"):
        load_table(load().config.dataset)
    change(commands, "clips: 16", "official: false")
    table = load_table(load("dataset: {spec: commands/set.yaml, num_folds: 4}").config.dataset)
    assert (table.official, table.published, len(table.folds)) == (False, False, 4)


def test_labels_that_are_no_classes(commands: Path) -> None:
    change(commands, '["no", "yes"]', '["no", "yeah"]')
    with pytest.raises(UserError, match="labels that are no classes of two_commands: yes"):
        load_table(load().config.dataset)


def test_in_python_the_facts_are_given() -> None:
    with pytest.raises(ValueError, match="a file is read with a config only"):
        DatasetConfig.model_validate({"name": "csv", "table": "a.csv", "spec": "set.yaml"})
    with pytest.raises(ValueError, match="applies to name: csv"):
        DatasetConfig.model_validate({"name": "toy", "spec": {"name": "x"}})


def test_the_commands_take_it(commands: Path, tmp_path: Path, command: Callable[..., tuple[int, str, str]]) -> None:
    status, _, told = command("init", "my.yaml", "--dataset", "commands/set.yaml", "--preset", "tiny")
    assert status == 0, told
    assert "  spec: commands/set.yaml" in (tmp_path / "my.yaml").read_text(encoding="utf-8")
    status, _, told = command("check", "my.yaml")
    assert told.splitlines()[-1] == "my.yaml: valid; two_commands, 16 clips, 2 classes, train and test sides"
    status, out, _ = command("doctor", "commands/set.yaml")
    assert status == 0
    assert out.startswith("two_commands in commands: 16 clips")
    status, out, _ = command("doctor", "my.yaml")
    assert (status, out.splitlines()[0].split(":")[0]) == (0, "two_commands in commands")
    assert command("prepare", "my.yaml")[0] == 0
    options = ("--set", "train.epochs=1", "--set", "train.num_workers=0", "--set", "tracking=[]", "--device", "cpu")
    status, out, told = command("train", "my.yaml", "--run-dir", "run", *options)
    assert status == 0, told
    assert "official" not in out
    results = json.loads((tmp_path / "run" / "results.json").read_text(encoding="utf-8"))
    assert (results["official"], results["not_official"]) == (True, None)
    assert results["dataset"]["name"] == "two_commands"
    (card,) = Path("run").glob("fold-*/model/README.md")
    text = card.read_text(encoding="utf-8")
    assert "Measured on Two Commands: " in text
    assert "- citation of the data: Somebody (2026), Two Commands (https://example.org)" in text
    status, _, told = command("init", "other.yaml", "--dataset", "gone.yaml")
    assert (status, told.strip()) == (2, "gone.yaml: cannot be read (No such file or directory)")
