"""Tables in memory: the same data set as a CSV of the same rows."""

import csv
import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import audiosurvey
from audiosurvey import UserError
from audiosurvey.data.sets.in_memory import is_table, table_section

pandas: Any = pytest.importorskip("pandas")

Rows = list[dict[str, Any]]


@pytest.fixture
def rows(tones: Path) -> Rows:
    """Of the tones, with folds."""
    files = sorted(tones.rglob("*.wav"))
    return [{"path": str(path), "label": path.parent.name, "fold": int(path.stem) % 3 + 1} for path in files]


@pytest.fixture
def net(tiny_yaml: str) -> dict[str, Any]:
    import yaml

    return yaml.safe_load(tiny_yaml)


def polars(rows: Rows) -> Any:
    return importlib.import_module("polars").DataFrame(rows)


def arrow(rows: Rows) -> Any:
    return importlib.import_module("pyarrow").Table.from_pylist(rows)


FRAMES = {"list": list, "pandas": pandas.DataFrame, "polars": polars, "pyarrow": arrow}


@pytest.mark.parametrize("kind", FRAMES)
def test_every_kind_is_the_csv_of_its_rows(kind: str, rows: Rows, tones: Path, tmp_path: Path, net: dict[str, Any]):
    if kind in ("polars", "pyarrow"):
        pytest.importorskip(kind)
    with (tmp_path / "clips.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["path", "label", "fold"])
        writer.writeheader()
        writer.writerows(rows)
    of_csv = audiosurvey.prepare(net | {"dataset": {"name": "csv", "root": tones, "table": tmp_path / "clips.csv"}})
    sounds = audiosurvey.prepare(net | {"dataset": FRAMES[kind](rows)})
    assert sounds.table.clips == of_csv.table.clips
    assert sounds.store.hash == of_csv.store.hash


def test_a_table_trains_like_its_csv(rows: Rows, net: dict[str, Any], tmp_path: Path):
    net["dataset"] = {"clip_seconds": 0.5, "table": pandas.DataFrame(rows)}
    run = audiosurvey.train(net, run_dir=tmp_path / "run", folds=1, threads=1)
    with pytest.raises(UserError, match="already exists"):
        audiosurvey.train(net, run_dir=tmp_path / "run")
    assert audiosurvey.train(net, run_dir=tmp_path / "run", resume=True, folds=[1, 2], threads=1).folds == (1, 2)
    assert audiosurvey.evaluate(run.path).mean["accuracy"] is not None
    model = run.path / "fold-1" / "model"
    assert audiosurvey.evaluate(model, pandas.DataFrame(rows)).clips == 24  # pyright: ignore


def test_wherever_a_root_or_csv_is(rows: Rows, net: dict[str, Any]):
    assert len(audiosurvey.doctor(rows).table.clips) == 24
    override = audiosurvey.load_config(net, {"dataset": rows, "seed": 3}).config
    assert override.dataset == audiosurvey.load_config(net | {"dataset": audiosurvey.table(rows)}).config.dataset
    assert audiosurvey.load_config(net, {"dataset.name": "csv", "dataset.table": rows}).config.dataset.table is not None
    pretrain = audiosurvey.load_config(net, {"pretrain.dataset": rows}).config.pretrain.dataset
    assert pretrain is not None
    assert pretrain.name == "csv"


def test_sounds_in_memory_are_files_in_the_cache(rows: Rows, net: dict[str, Any], tmp_cache: Path):
    waves = [soundfile.read(row["path"], dtype="float32") for row in rows]
    table = [
        {"audio": {"array": wave, "sampling_rate": rate}, "label": row["label"], "fold": row["fold"]}
        for row, (wave, rate) in zip(rows, waves, strict=True)
    ]
    sounds = audiosurvey.prepare(net | {"dataset": table})
    assert [clip.id for clip in sounds.table.clips][:2] == ["00.wav", "01.wav"]
    assert all(clip.path.is_relative_to(tmp_cache) for clip in sounds.table.clips)
    of_files = audiosurvey.prepare(net | {"dataset": rows})
    for one, other in zip(sounds.table.clips, of_files.table.clips, strict=True):
        np.testing.assert_allclose(sounds.store.read(one.id), of_files.store.read(other.id), atol=1e-4)
    before = sorted(tmp_cache.rglob("*"))
    assert audiosurvey.table(table) == audiosurvey.table(table)
    assert sorted(tmp_cache.rglob("*")) == before
    table[0]["label"] = "mid"
    assert audiosurvey.table(table)["table"] != sounds.config.table.as_posix()  # pyright: ignore


def test_data_sets_of_hugging_face(rows: Rows, net: dict[str, Any]):
    datasets = pytest.importorskip("datasets")
    names = sorted({row["label"] for row in rows})
    columns = {"audio": [row["path"] for row in rows], "label": [names.index(row["label"]) for row in rows]}
    table = datasets.Dataset.from_dict(columns)
    # Not by features, since encoding needs torchcodec.
    table = table.cast_column("label", datasets.ClassLabel(names=names)).cast_column("audio", datasets.Audio())
    sounds = audiosurvey.prepare(net | {"dataset": table})
    assert sounds.table.classes == tuple(names)
    assert len(sounds.table.clips) == 24


def test_other_names_of_columns_and_missing_cells(rows: Rows, net: dict[str, Any]):
    frame = pandas.DataFrame(rows).rename(columns={"path": "file", "label": "species"})
    frame["source"] = [None if n % 2 else f"site{n % 4}" for n in range(len(frame))]
    frame["fold"] = frame["fold"].astype(float)
    section = table_section(frame)
    assert section["columns"] == {"path": "file", "label": "species"}
    sounds = audiosurvey.prepare(net | {"dataset": section})
    assert {clip.fold for clip in sounds.table.clips} == {1, 2, 3}
    assert sum(clip.source is None for clip in sounds.table.clips) == 12
    several = [row | {"label": ["low", "high"] if n == 0 else [row["label"]]} for n, row in enumerate(rows)]
    assert audiosurvey.prepare(net | {"dataset": several}).table.multi_label


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([{"label": "a"}], "no column path with sounds; there are label"),
        ([{"path": 3, "label": "a"}], "row 1: int is no sound; expected the path"),
        (pandas.DataFrame({"path": [], "label": []}), "no rows"),
    ],
)
def test_what_is_no_table_is_told(table: Any, message: str):
    with pytest.raises(UserError, match=message):
        table_section(table)


def test_what_counts_as_a_table():
    assert is_table([{"path": "a"}])
    assert is_table(pandas.DataFrame({"path": []}))
    assert not any(map(is_table, ({"name": "toy"}, "toy", Path("toy"), None, [], [1, 2], ["a"])))
