import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from audiosurvey.config.loader import load_config
from audiosurvey.config.manual.writing import write_starter
from audiosurvey.config.presets import preset_names
from audiosurvey.config.root import Config
from audiosurvey.errors import UserError


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    for label, count in {"dog": 12, "cat": 3}.items():
        (tmp_path / "sounds" / label).mkdir(parents=True)
        for number in range(count):
            soundfile.write(tmp_path / "sounds" / label / f"{number}.wav", np.zeros(3200), 8000)
    return tmp_path / "sounds"


def written(folder: Path, *words: Any, **more: Any) -> Config:
    write_starter(folder / "my.yaml", *words, force=True, **more)
    return load_config(folder / "my.yaml").config


def test_values_suit_the_data_and_say_why(sounds: Path, tmp_path: Path):
    found = write_starter(tmp_path / "my.yaml", root=sounds)
    assert (found.dataset, found.about) == ("folder", "15 clips, 2 classes of 3 to 12 clips, 0.4 s, 8000 Hz")
    loaded = load_config(tmp_path / "my.yaml")
    config = loaded.config
    assert loaded.warnings == ()
    assert config.dataset.root == sounds
    assert (config.dataset.clip_seconds, config.sample_rate, config.dataset.num_folds) == (0.4, 8000, 3)
    assert (config.train.epochs, config.train.batch_size, config.train.sampling) == (300, 8, "balanced")
    text = (tmp_path / "my.yaml").read_text(encoding="utf-8")
    assert "# the longest clip lasts 0.4 s" in text
    assert "# class 'cat' has only 3 clips" in text
    assert text.startswith("# Data set folder: 15 clips")


@pytest.mark.parametrize("preset", preset_names())
def test_presets_keep_their_recipes(preset: str, sounds: Path, tmp_path: Path):
    plain, looked = written(tmp_path, "folder", preset), written(tmp_path, "folder", preset, root=sounds)
    assert looked.dataset.clip_seconds == 0.4
    if preset in ("small", "eat", "finetune-mn04"):
        assert looked.train.epochs == plain.train.epochs
        assert (looked.sample_rate, looked.augmentation) == (plain.sample_rate, plain.augmentation)
    assert looked.train.sampling == ("shuffle" if looked.train.head_only else "balanced")
    assert (looked.dataset.other is not None) == preset.startswith("events-")


def test_what_is_set_is_kept(sounds: Path, tmp_path: Path):
    config = written(tmp_path, root=sounds, overrides=["dataset.clip_seconds=2", "train.batch_size=4", "seed=3"])
    assert (config.dataset.clip_seconds, config.train.batch_size, config.seed) == (2, 4, 3)
    assert config.train.epochs == 300
    whole = written(tmp_path, root=sounds, overrides=["train={epochs: 7}"])
    assert (whole.train.epochs, whole.train.sampling, whole.train.batch_size) == (7, "shuffle", 16)


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("train.lrr=1", r"^--set train.lrr: unknown key; did you mean lr\?$"),
        ("dataset.clip_seconds=-1", r"^--set dataset.clip_seconds: .* is not a length"),
        ("train.lr", r"^--set train.lr: expected KEY=VALUE"),
    ],
)
def test_bad_overrides_write_nothing(override: str, line: str, sounds: Path, tmp_path: Path):
    with pytest.raises(UserError, match=line):
        write_starter(tmp_path / "my.yaml", root=sounds, overrides=[override])
    assert not (tmp_path / "my.yaml").exists()


def test_data_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    found = write_starter(Path("my.yaml"), "folder")
    assert found.about is None
    assert (found.note or "").startswith("sounds: not there, so the values are general")
    with pytest.raises(UserError, match=r"^root: none: no such file or folder$"):
        write_starter(Path("other.yaml"), root=Path("none"))
    Path("a.wav").write_bytes(b"")
    with pytest.raises(UserError, match=r"^root: a.wav: is a file; expected a folder, or a CSV file$"):
        write_starter(Path("other.yaml"), root=Path("a.wav"))


def test_a_table_with_folds_of_its_own(sounds: Path, tmp_path: Path):
    rows = ["path,label,fold"] + [f"dog/{n}.wav,{'ab'[n % 2]},{n % 4 + 1}" for n in range(12)]
    (sounds / "clips.csv").write_text("\n".join(rows), encoding="utf-8")
    for root in (sounds, sounds / "clips.csv"):
        config = written(tmp_path, root=root)
        assert (config.dataset.name, config.dataset.root) == ("csv", sounds)
        assert config.dataset.resolved_table() == sounds / "clips.csv"
        assert "num_folds" not in (tmp_path / "my.yaml").read_text(encoding="utf-8")


def test_selection_tables_get_windows_by_their_events(tmp_path: Path):
    root = tmp_path / "recordings"
    root.mkdir()
    for name, label in (("a", "owl"), ("b", "crow"), ("c", "owl"), ("d", "crow"), ("e", "owl")):
        soundfile.write(root / f"{name}.wav", np.zeros(80_000), 8000)
        (root / f"{name}.txt").write_text(f"1.0\t2.2\t{label}\n4\t4.5\t{label}\n", encoding="utf-8")
    config = written(tmp_path, "raven", root=root)
    assert config.dataset.windows
    assert (config.dataset.windows.seconds, config.dataset.windows.hop) == (3, 1.5)
    assert config.dataset.clip_seconds is None


def test_names_of_cuts_set_the_pattern(tmp_path: Path):
    for label, sites in {"dog": ("park", "yard", "lane"), "cat": ("barn", "loft", "roof")}.items():
        (tmp_path / "s" / label).mkdir(parents=True)
        for site in sites:
            for cut in (1, 2, 3):
                soundfile.write(tmp_path / "s" / label / f"{site}_{cut:04d}.wav", np.zeros(8000), 8000)
    config = written(tmp_path, root=tmp_path / "s")
    assert config.dataset.source_pattern is not None
    assert config.dataset.num_folds == 3


def test_published_sets_are_not_looked_at(tmp_path: Path):
    (tmp_path / "meta").mkdir()
    assert write_starter(tmp_path / "my.yaml", "urbansound8k", root=tmp_path).about is None
    assert load_config(tmp_path / "my.yaml").config.dataset.root == tmp_path


def test_few_clips_are_advised_to_start_from_pretrained_weights(sounds: Path, tmp_path: Path):
    path = tmp_path / "my config.yaml"
    advice = write_starter(path, root=sounds).advice
    assert advice is not None
    command = shlex.split(advice.rsplit(": ", 1)[1])
    assert command == ["audiosurvey", "init", str(path), "--root", str(sounds), "--preset", "probe-mn04", "--force"]
    assert write_starter(path, None, "probe-mn04", root=sounds, force=True).advice is None
    assert write_starter(path, root=sounds, overrides=["train.epochs=9"], force=True).advice is None
