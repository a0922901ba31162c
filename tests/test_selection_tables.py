"""From selection tables to selection tables: recordings with overlapping callers are cut, trained on and annotated."""

import csv
import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from audiosurvey.data.dataset import DatasetConfig, load_table

RATE, SECONDS = 8000, 6
CALLERS = {"cricket": 2500, "frog": 900, "owl": 300}
Event = tuple[int, int, str]
"""Start and end in milliseconds, and the caller."""

CONFIG = """\
sample_rate: 8000
mel_spectrogram:
  {{win_length: 0.032, hop_length: 0.016, n_mels: 16, f_min: 50, compression: db, standardize: batch_norm}}
dataset: {{name: raven, root: '{root}', num_folds: 4, windows: {{seconds: 0.5, hop: 0.3, min_overlap: 0.4}}}}
train: {{epochs: 8, lr: 0.02, batch_size: 8, num_workers: 0}}
augmentation: {{shorten: {{p: 0}}}}
model:
  blocks:
    - conv_block: {{channels: 8, layers: 1}}
    - conv_block: {{channels: 8, layers: 1}}
    - pooling: {{mode: avg, flat: false}}
precision: fp32
tracking: []
"""


@pytest.fixture(scope="module")
def calls() -> dict[str, list[Event]]:
    """The calls in each of twenty recordings; there are none in the last two. Calls of different callers overlap."""
    rng = np.random.default_rng(0)
    drawn: dict[str, list[Event]] = {}
    for number in range(20):
        events: list[Event] = []
        for caller in CALLERS if number < 18 else ():
            start_ms = int(rng.integers(0, 3000))
            events.append((start_ms, start_ms + int(rng.integers(200, 3000)), caller))
        drawn[f"{number:02}.wav"] = sorted(events)
    return drawn


@pytest.fixture(scope="module")
def field(calls: dict[str, list[Event]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recordings with their tables, and one recording without."""
    root = tmp_path_factory.mktemp("field")
    rng = np.random.default_rng(1)
    seconds = np.arange(RATE * SECONDS) / RATE
    for name, events in {**calls, "unknown.wav": []}.items():
        wave = 0.02 * rng.standard_normal(len(seconds))
        for start_ms, end_ms, caller in events:
            heard = (seconds >= start_ms / 1000) & (seconds < end_ms / 1000)
            wave += 0.2 * heard * np.sin(2 * np.pi * CALLERS[caller] * seconds)
        soundfile.write(root / name, wave, RATE)
    for name, events in calls.items():
        rows = ["Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\tSpecies"]
        for number, (start_ms, end_ms, caller) in enumerate(events, 1):
            rows.append(f"{number}\tSpectrogram 1\t1\t{start_ms / 1000}\t{end_ms / 1000}\t100\t3900\t{caller}")
        (root / f"{Path(name).stem}.Table.1.selections.txt").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return root


def expected_labels(events: list[Event]) -> dict[int, set[str]]:
    """The labels of the windows of a recording by their starts in milliseconds: every 300 ms, and the last 500 ms."""
    starts_ms = [*range(0, 1000 * SECONDS - 500, 300), 1000 * SECONDS - 500]
    found: dict[int, set[str]] = {start_ms: set() for start_ms in starts_ms}
    for start_ms in starts_ms:
        for begin_ms, end_ms, caller in events:
            overlap_ms = min(start_ms + 500, end_ms) - max(start_ms, begin_ms)
            if overlap_ms >= Fraction(2, 5) * min(500, end_ms - begin_ms):
                found[start_ms].add(caller)
    return found


def test_windows_and_labels_are_as_computed(field: Path, calls: dict[str, list[Event]]):
    windows = {"seconds": 0.5, "hop": 0.3, "min_overlap": 0.4}
    table = load_table(DatasetConfig.model_validate({"name": "raven", "root": field, "windows": windows}))
    found: dict[str, dict[int, set[str]]] = {}
    for clip in table.clips:
        assert clip.start_s is not None
        assert clip.end_s is not None
        start_ms = round(1000 * clip.start_s)
        assert abs(clip.start_s - start_ms / 1000) < 1 / RATE
        assert abs(clip.end_s - (start_ms + 500) / 1000) < 1 / RATE
        found.setdefault(clip.path.name, {})[start_ms] = {table.classes[label] for label in clip.labels}
    assert found == {name: expected_labels(events) for name, events in calls.items()}
    assert any(len(labels) > 1 for of_one in found.values() for labels in of_one.values())
    assert not any(found["19.wav"].values())
    assert "1 recording without a table is left out (unknown.wav)" in table.notes[0]
    folds = {name: {clip.fold for clip in table.clips if clip.path.name == name} for name in calls}
    assert all(len(of_one) == 1 for of_one in folds.values())


def test_tables_in_and_tables_out(
    command: Callable[..., Any], field: Path, calls: dict[str, list[Event]], tmp_path: Path
):
    (tmp_path / "field.yaml").write_text(CONFIG.format(root=field.as_posix()), encoding="utf-8")
    status, _, told = command("train", tmp_path / "field.yaml", "--run-dir", tmp_path / "run", "--folds", "1")
    assert status == 0, told
    with (tmp_path / "run" / "fold-1" / "predictions.csv").open(encoding="utf-8") as file:
        tested = {row["clip"].split("#")[0] for row in csv.DictReader(file)}
    assert 1 < len(tested) < 20

    sounds = [field / name for name in sorted(tested)]
    options = ("--window", 0.5, "--hop", 0.1, "--threshold", 0.5, "--format", "raven")
    out = tmp_path / "found.selections.txt"
    status, _, told = command("predict", tmp_path / "run" / "fold-1" / "model", *sounds, *options, "--output", out)
    assert status == 0, told
    with out.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    # Tenths of a second in which a caller is heard, by their middles.
    middles_ms = range(50, 1000 * SECONDS, 100)
    active = {
        (row["Begin File"], middle_ms, row["Species"])
        for row in rows
        for middle_ms in middles_ms
        if float(row["Begin Time (s)"]) <= middle_ms / 1000 < float(row["End Time (s)"])
    }
    truth = {
        (name, middle_ms, caller)
        for name in tested
        for start_ms, end_ms, caller in calls[name]
        for middle_ms in middles_ms
        if start_ms <= middle_ms < end_ms
    }
    print(len(active & truth) / len(active | truth), len(active), len(truth))
    assert len(active & truth) > 0.4 * len(active | truth)
    for row in rows:
        assert 0 <= float(row["Begin Time (s)"]) < float(row["End Time (s)"]) <= SECONDS

    again = load_table(
        DatasetConfig.model_validate({"name": "raven", "root": field, "table": out, "windows": {"seconds": 1}}),
        divide=False,
    )
    assert {clip.path.name for clip in again.clips} == {row["Begin File"] for row in rows}
    assert set(again.classes) <= set(CALLERS)

    status, shown, told = command("evaluate", tmp_path / "run" / "fold-1" / "model", "--data", field, "--json")
    assert status == 0, told
    assert json.loads(shown)["clips"] == len(calls) * 20
