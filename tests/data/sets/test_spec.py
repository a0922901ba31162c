"""A published data set is one object and one line: one that the package does not have goes through every command."""

import json
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
import speech_commands
from speech_commands import CLASSES

from audiosurvey.data.sets.registry import BUILT_IN, is_published, spec_of, specs

# The one line: the name of the module in `BUILT_IN`. Its file is among the fixtures instead of in the package.
_REGISTERED = f"""
import sys
import audiosurvey.data.sets as sets
from audiosurvey.data.sets import registry
sets.__path__.append({str(Path(speech_commands.__file__).parent)!r})
registry.BUILT_IN += ("speech_commands",)
"""
_TINY = """
dataset: {name: speech_commands}
sample_rate: 8000
mel_spectrogram: {n_mels: 16, win_length: 0.032, hop_length: 0.016, compression: db}
train: {epochs: 2, batch_size: 4, num_workers: 0}
protocol: {selection: validation}
model: {blocks: [{conv_block: {channels: 4, layers: 1}}, {pooling: {mode: avg, flat: false}}]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working folder with the data set where configs look for it: 3 words, 8 speakers; s6 validates, s7 tests."""
    root = tmp_path / "data" / "SpeechCommands"
    rng = np.random.default_rng(0)
    for number, word in enumerate(CLASSES):
        (root / word).mkdir(parents=True)
        for speaker in range(8):
            time_S = np.arange(8000) / 8000
            wave_S = np.sin(2 * np.pi * (500 * (number + 1) + 20 * speaker) * time_S) + 0.1 * rng.standard_normal(8000)
            with wave.open(str(root / word / f"s{speaker}_nohash_0.wav"), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(8000)
                file.writeframes((8000 * wave_S).astype("<i2").tobytes())
    (root / "validation_list.txt").write_text("".join(f"{word}/s6_nohash_0.wav\n" for word in CLASSES))
    (root / "testing_list.txt").write_text("".join(f"{word}/s7_nohash_0.wav\n" for word in CLASSES))
    (tmp_path / "tiny.yaml").write_text(_TINY)
    return tmp_path


def python(folder: Path, script: str) -> str:
    """What a script prints that runs with the set registered."""
    done = subprocess.run(
        [sys.executable, "-c", _REGISTERED + script], cwd=folder, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def commands(folder: Path, *lines: str) -> str:
    """Runs commands of the command line, one after the other, and gives what they print."""
    return python(
        folder,
        f"""
from audiosurvey.cli.main import main
for line in {list(lines)!r}:
    sys.argv[1:] = line.split()
    try: main()
    except SystemExit as end: assert end.code in (None, 0, 1 if "doctor" in line else 0), line
""",
    )


def test_the_table_has_the_split_and_the_classes_of_the_authors(folder: Path):
    said = python(
        folder,
        """
import json
from collections import Counter
from audiosurvey.data.dataset import DatasetConfig, builtin_classes, load_table
from audiosurvey.data.layout import dataset_at
from audiosurvey.data.splits.folds import make_split
config = DatasetConfig(name="speech_commands")
table, part = load_table(config), load_table(DatasetConfig(name="speech_commands", subset="yes_no"))
split = make_split(table, 1, "validation")
found = dataset_at(config.resolved_root())
try: DatasetConfig(name="esc50", subset="yes_no")
except ValueError as error: refused = str(error)
print(json.dumps([table.classes, table.folds, [len(s) for s in (split.train, split.validation, split.test)],
    table.official, table.published, sorted(table.twin_sources), config.resolved_clip_seconds(),
    part.classes, len(part.clips), found.name, builtin_classes(config), refused]))
""",
    )
    *facts, refused = json.loads(said)
    assert facts == [
        *(list(CLASSES), [1], [18, 3, 3], True, True, ["s0", "s7"], 1.0),
        *(["yes", "no"], 16, "speech_commands", list(CLASSES)),
    ]
    assert "esc50 has no subset yes_no; it has esc10" in refused


def test_init_check_and_doctor_know_it(folder: Path):
    said = commands(
        folder,
        "doctor data/SpeechCommands --json",
        "init mine.yaml --dataset speech_commands",
        "check mine.yaml",
    )
    text = (folder / "mine.yaml").read_text()
    assert "root: data/SpeechCommands" in text
    assert "sample_rate: 16000" in text
    assert "# subset: yes_no" in text
    told, end = json.JSONDecoder().raw_decode(said)
    assert "wrote mine.yaml" in said[end:]
    assert told["dataset"]["name"] == "speech_commands"
    assert told["dataset"]["clips"] == 24


def test_a_training_on_the_official_split_is_official(folder: Path):
    commands(folder, "train tiny.yaml --run-dir run --device cpu")
    found = json.loads((folder / "run" / "results.json").read_text())
    assert (found["official"], found["not_official"]) == (True, None)
    assert found["dataset"]["licence"] == "CC BY 4.0"
    assert [row["clips"] for row in found["folds"]] == [3]


def test_the_registry_names_each_spec_as_its_module():
    assert [spec.name for spec in specs()] == list(BUILT_IN)
    assert spec_of("folder") is None
    assert [is_published(name) for name in (*BUILT_IN, "csv")] == [True, True, False, False]
