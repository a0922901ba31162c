"""The `dataset` section: what applies to what, defaults, selected classes."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from audiosurvey.data.dataset import DatasetConfig, builtin_classes, load_table
from audiosurvey.data.sets.esc50 import CLASSES
from audiosurvey.errors import UserError


def fault(**options: Any) -> tuple[str, str]:
    """Place and message of the one fault of a section."""
    with pytest.raises(ValidationError) as caught:
        DatasetConfig(**options)
    (only,) = caught.value.errors()
    return ".".join(map(str, only["loc"])), only["msg"].removeprefix("Value error, ")


@pytest.mark.parametrize(
    ("options", "root", "seconds"),
    [
        ({}, "data/ESC-50", 5),
        ({"subset": "esc10"}, "data/ESC-50", 5),
        ({"name": "urbansound8k"}, "data/UrbanSound8K", 4),
        ({"name": "toy"}, "data/toy", 1),
        ({"name": "folder", "root": "sounds"}, "sounds", 5),
        ({"name": "toy", "root": "x", "clip_seconds": 0.5}, "x", 0.5),
    ],
)
def test_defaults(options: dict[str, Any], root: str, seconds: float):
    config = DatasetConfig(**options)
    assert config.resolved_root() == Path(root)
    assert config.resolved_clip_seconds() == seconds


@pytest.mark.parametrize(
    ("options", "place", "message"),
    [
        ({"name": "folder", "root": "x", "subset": "esc10"}, "subset", "applies to name: esc50, not to folder"),
        ({"columns": {"path": "file"}}, "columns", "applies to name: csv, not to esc50"),
        ({"name": "toy", "num_folds": 3}, "num_folds", "applies to name: folder or csv or raven, not to toy"),
        ({"name": "csv", "root": "x", "source_pattern": "a"}, "source_pattern", "applies to name: folder, not to csv"),
        ({"table": "x.csv"}, "table", "applies to name: csv"),
        ({"name": "toy", "licence": "CC BY 4.0"}, "licence", "applies to name: folder or csv or raven, not to toy"),
        ({"label_separator": ";"}, "label_separator", "applies to name: csv"),
        ({"name": "folder"}, "root", "needed for name: folder"),
        ({"name": "raven", "windows": {"seconds": 5}}, "root", "needed for name: raven"),
        ({"name": "raven", "root": "x"}, "windows", "needed for name: raven; such as windows: {seconds: 5}"),
        ({"name": "toy", "windows": {"seconds": 5}}, "windows", "applies to name: csv or raven, not to toy"),
        (
            {"name": "csv", "root": "x", "multi_label": False, "windows": {"seconds": 5}},
            "windows",
            "a window can have several labels; leave dataset.multi_label out",
        ),
        ({"name": "csv"}, "table", "needed for name: csv; the CSV file, or set root"),
        ({"clip_seconds": 0}, "clip_seconds", "0 is not a length"),
        ({"clip_seconds": 5000}, "clip_seconds", "the unit is seconds (5000 ms are 5)"),
        ({"clip_seconds": 300.1}, "clip_seconds", "at most 300"),
        ({"name": "folder", "root": "x", "num_folds": 1}, "num_folds", "at least 2 folds"),
        ({"name": "folder", "root": "x", "source_pattern": "("}, "source_pattern", "not a regular expression"),
        ({"name": "csv", "root": "x", "label_separator": " "}, "label_separator", "spaces occur inside labels"),
        (
            {"name": "csv", "root": "x", "columns": {"path": "label"}},
            "columns.label",
            "'label' is used twice",
        ),
        ({"classes": []}, "classes", "no class is left"),
        ({"classes": ["dgo"]}, "classes", "unknown class 'dgo'; did you mean 'dog'?"),
        ({"classes": ["Sea waves"]}, "classes", "did you mean 'sea_waves'?"),
        ({"name": "toy", "classes": ["xyzzy", "qqq"]}, "classes", "'xyzzy'; unknown class 'qqq'; known: "),
        ({"classes": ["xyzzy"]}, "classes", "... (50 in all)"),
        ({"subset": "esc10", "exclude_classes": ["pig"]}, "exclude_classes", "unknown class 'pig'"),
        ({"classes": ["dog", "dog"]}, "classes", "'dog' is listed twice"),
        ({"classes": ["dog"], "exclude_classes": ["dog"]}, "exclude_classes", "'dog' is in dataset.classes too"),
    ],
)
def test_what_makes_no_sense_is_refused_at_its_place(options: dict[str, Any], place: str, message: str):
    found_place, found = fault(**options)
    assert found_place == place
    assert message in found


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"subset": "esc10", "classes": ["dog", "rain"], "pad": "repeat", "mono": "loudest"},
        {"name": "csv", "table": "x.csv", "columns": {"fold": None}, "label_separator": ";"},
        {"name": "folder", "root": "x", "num_folds": 3, "classes": [1, 2]},
    ],
)
def test_a_dumped_section_is_a_valid_section(options: dict[str, Any]):
    config = DatasetConfig(**options)
    assert DatasetConfig(**config.model_dump(mode="json")) == config


def test_every_field_is_described():
    fields = DatasetConfig.model_json_schema()["properties"]
    assert [name for name, field in fields.items() if "description" not in field] == ["columns"]
    columns = DatasetConfig.model_fields["columns"].annotation
    assert columns is not None
    assert columns.__doc__


def test_builtin_classes():
    assert builtin_classes(DatasetConfig()) == CLASSES
    assert len(builtin_classes(DatasetConfig(name="urbansound8k")) or ()) == 10
    assert len(builtin_classes(DatasetConfig(name="toy")) or ()) == 10
    assert builtin_classes(DatasetConfig(name="folder", root=Path("x"))) is None
    assert builtin_classes(DatasetConfig(classes=["rain", "dog"])) == ("dog", "rain")
    assert len(builtin_classes(DatasetConfig(exclude_classes=["rain", "dog"])) or ()) == 48


def test_selected_classes_keep_the_order_of_the_table(shared: Path):
    config = DatasetConfig(root=shared / "data" / "esc10", subset="esc10", classes=["rain", "dog", "chainsaw"])
    table = load_table(config)
    assert table.classes == ("dog", "rain", "chainsaw") == builtin_classes(config)
    assert len(table.clips) == 120
    assert {clip.labels for clip in table.clips} == {(0,), (1,), (2,)}
    assert all(f"-{(0, 10, 41)[clip.labels[0]]}.ogg" in clip.id for clip in table.clips)
    assert not table.official


def folder(root: Path, names: str = "abc", clips: int = 4) -> DatasetConfig:
    for name in names:
        (root / name).mkdir()
        for n in range(clips):
            (root / name / f"{n}.wav").touch()
    return DatasetConfig(name="folder", root=root, num_folds=2)


def test_classes_of_ones_own_data_are_looked_up_in_the_table(tmp_path: Path):
    config = folder(tmp_path)
    table = load_table(config.model_copy(update={"exclude_classes": ["b"]}))
    assert (table.classes, table.folds, len(table.clips)) == (("a", "c"), (1, 2), 8)
    with pytest.raises(UserError) as caught:
        load_table(config.model_copy(update={"classes": ["a", "x"], "exclude_classes": ["B"]}))
    assert caught.value.lines == (
        "dataset.classes: unknown class 'x'; known: a, b, c",
        "dataset.exclude_classes: unknown class 'B'; did you mean 'b'?",
    )


def test_too_few_classes_are_refused(tmp_path: Path):
    config = folder(tmp_path)
    with pytest.raises(UserError, match="'a' is the only class"):
        load_table(config.model_copy(update={"classes": ["a"]}))
    with pytest.raises(UserError, match="no class is left"):
        load_table(config.model_copy(update={"exclude_classes": ["a", "b", "c"]}))


def test_of_several_labels_the_selected_ones_stay(tmp_path: Path):
    for name in "pqrs":
        (tmp_path / f"{name}.wav").touch()
    (tmp_path / "l.csv").write_text("path,label,fold\np.wav,a|b,1\nq.wav,b,1\nr.wav,c,2\ns.wav,a|c,2\n")
    table = load_table(DatasetConfig(name="csv", root=tmp_path, classes=["a", "c"]))
    assert [(clip.id, clip.labels) for clip in table.clips] == [
        ("p.wav", (0,)),
        ("q.wav", ()),
        ("r.wav", (1,)),
        ("s.wav", (0, 1)),
    ]
    assert table.multi_label
    assert "selected: 2 of 3 classes, 4 of 4 clips, 1 of them of no selected class" in table.notes
    only = load_table(DatasetConfig(name="csv", root=tmp_path, classes=["b"]))
    assert [clip.labels for clip in only.clips] == [(0,), (0,), (), ()]
    with pytest.raises(UserError, match="no class is left"):
        load_table(DatasetConfig(name="csv", root=tmp_path, exclude_classes=["a", "b", "c"]))


def test_clips_of_one_label_that_is_not_selected_are_left_out_unless_the_table_is_multi_label(tmp_path: Path):
    for name in "pqr":
        (tmp_path / f"{name}.wav").touch()
    (tmp_path / "l.csv").write_text("path,label,fold\np.wav,a,1\nq.wav,b,1\nr.wav,c,2\n")
    one = load_table(DatasetConfig(name="csv", root=tmp_path, classes=["a", "c"]))
    assert [clip.id for clip in one.clips] == ["p.wav", "r.wav"]
    several = load_table(DatasetConfig(name="csv", root=tmp_path, classes=["a", "c"], multi_label=True))
    assert [clip.labels for clip in several.clips] == [(0,), (), (1,)]


def test_toy_is_made_when_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    table = load_table(DatasetConfig(name="toy"))
    assert (table.root, len(table.clips)) == (Path("data/toy"), 300)
    assert (tmp_path / "data" / "toy" / "meta" / "esc50.csv").is_file()


def test_missing_files_of_ones_own_table(tmp_path: Path):
    (tmp_path / "l.csv").write_text("path,label,fold\np.wav,a,1\nq.wav,b,2\n")
    config = DatasetConfig(name="csv", root=tmp_path)
    with pytest.raises(
        UserError, match=r"nor any other of the 2 files in the table; paths are relative to dataset.root"
    ):
        load_table(config)
    (tmp_path / "q.wav").touch()
    assert any("1 of 2 sound files do not exist" in note for note in load_table(config).notes)


def test_the_licence_of_ones_own_data_is_told_with_it(tmp_path: Path):
    (tmp_path / "l.csv").write_text("path,label,fold\np.wav,a,1\nq.wav,b,2\n")
    for name in "pq":
        (tmp_path / f"{name}.wav").touch()
    assert load_table(DatasetConfig(name="csv", root=tmp_path)).licence is None
    assert load_table(DatasetConfig(name="csv", root=tmp_path, licence="CC BY 4.0")).licence == "CC BY 4.0"
