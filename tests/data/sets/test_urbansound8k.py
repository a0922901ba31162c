"""UrbanSound8K: the published table, and a real one cut to fifteen rows."""

from pathlib import Path

import pytest

from audiosurvey.data.dataset import DatasetConfig, builtin_classes, load_table
from audiosurvey.data.sets.urbansound8k import CLASS_SIZES, CLASSES, FOLD_SIZES, read_urbansound8k
from audiosurvey.data.splits.folds import make_split
from audiosurvey.errors import UserError

HEADER = "slice_file_name,fsID,start,end,salience,fold,classID,class"


def write(root: Path, rows: list[str]) -> Path:
    (root / "metadata").mkdir(parents=True)
    (root / "metadata" / "UrbanSound8K.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    return root


def published_rows() -> list[str]:
    """8732 rows whose classes and folds have the published sizes, a recording each."""
    targets = [target for target, size in enumerate(CLASS_SIZES) for _ in range(size)]
    folds = [fold for fold, size in enumerate(FOLD_SIZES, start=1) for _ in range(size)]
    return [
        f"{n}-{target}-0-0.wav,{n},0,4,1,{fold},{target},{CLASSES[target]}"
        for n, (target, fold) in enumerate(zip(targets, folds, strict=True))
    ]


def test_sizes_add_up_to_8732():
    assert sum(CLASS_SIZES) == sum(FOLD_SIZES) == 8732


def test_the_real_rows(shared: Path):
    config = DatasetConfig(name="urbansound8k", root=shared / "data" / "urbansound8k-15")
    table = load_table(config)
    assert len(table.clips) == 15
    assert not table.official
    assert table.licence == "CC BY-NC 3.0 (non-commercial)"
    assert all(clip.path.is_file() for clip in table.clips)
    first = table.clips[0]
    assert (first.id, first.fold, first.source) == ("audio/fold5/100263-2-0-117.wav", 5, "100263")
    assert table.classes[first.labels[0]] == "children_playing"
    assert table.folds == (2, 5, 7, 10)
    assert set(table.classes) <= set(builtin_classes(config) or ())
    for fold in table.folds:
        assert len(make_split(table, fold, "validation").test) >= 3


def test_the_whole_table_is_official_and_a_changed_one_is_not(tmp_path: Path):
    rows = published_rows()
    table = read_urbansound8k(write(tmp_path / "whole", rows))
    assert table.official
    assert table.classes == CLASSES
    assert not read_urbansound8k(write(tmp_path / "cut", rows[:-1])).official
    moved = [*rows[:-1], rows[-1].replace(",10,9,", ",9,9,")]
    assert moved != rows
    assert not read_urbansound8k(write(tmp_path / "moved", moved)).official


def test_faults_have_lines(tmp_path: Path):
    rows = ["1-0-0-0.wav,1,0,4,1,0,0,air_conditioner", ",2,0,4,1,1,zero,air_conditioner"]
    with pytest.raises(UserError) as caught:
        read_urbansound8k(write(tmp_path / "a", rows))
    lines = [line.split("UrbanSound8K.csv:")[1] for line in caught.value.lines]
    assert lines == [
        "2: fold: '0' is not a fold; expected 1, 2, ...",
        "3: classID: 'zero' is not a class number",
        "3: slice_file_name: empty",
    ]


def test_missing_data_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        UserError, match=r"^data/UrbanSound8K: not found; run 'audiosurvey download urbansound8k' or set"
    ):
        load_table(DatasetConfig(name="urbansound8k"))
