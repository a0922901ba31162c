"""Configs that an earlier version resolved keep their meaning, wherever they are read, and runs of it go on."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from audiosurvey.config.continuing import continued
from audiosurvey.config.loader import LoadedConfig, load_config, load_text
from audiosurvey.config.resolved import plain
from audiosurvey.config.stored import read_stored
from audiosurvey.errors import UserError
from audiosurvey.runs.results.run_folder import RunFolder

OWN = """\
mel_spectrogram: {compression: db, n_mels: 32}
augmentation: {noise: {p: 0.5}}
dataset: {name: toy}
train: {epochs: 2}
"""
"""What a user wrote then, with the defaults of then."""


def earlier(text: str = OWN, **changes: Any) -> dict[str, Any]:
    """The config as the version before `shorten` resolved it."""
    resolved = plain(load_text(text, "own.yaml").config)
    for name in ("low_pass", "clipping", "shorten"):
        del resolved["augmentation"][name]
    del resolved["train"]["sync_batchnorm"], resolved["dataset"]["multi_label"]
    resolved["dataset"]["pad"] = "zeros"
    return resolved | changes


def stored(folder: Path, config: dict[str, Any]) -> Path:
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return path


def written_by_hand(text: str = OWN) -> LoadedConfig:
    return load_text(text, "own.yaml")


def test_clips_of_an_earlier_run_are_not_shortened(tmp_path: Path) -> None:
    config = read_stored(stored(tmp_path, earlier()), "copy it again")
    assert config.augmentation.shorten.p == 0
    assert (config.augmentation.noise.p, config.dataset.pad) == (0.5, "zeros")


def test_a_config_of_today_keeps_what_it_says(tmp_path: Path) -> None:
    config = written_by_hand().config
    assert config.augmentation.shorten.p > 0
    assert read_stored(stored(tmp_path, plain(config)), "copy it again") == config


def test_an_earlier_front_end_keeps_its_values(tmp_path: Path) -> None:
    magnitudes = OWN.replace("n_mels: 32", "n_mels: 32, power: 1, floor_db: -60, divide: 10")
    mel = read_stored(stored(tmp_path, earlier(magnitudes)), "copy it again").mel_spectrogram
    assert (mel.power, mel.floor_db, mel.divide) == (1, -120, 20)


def test_an_earlier_pretraining_is_padded_with_zeros(tmp_path: Path) -> None:
    config = read_stored(stored(tmp_path, earlier(pretrain_urban=True)), "copy it again")
    assert config.pretrain_dataset is not None
    assert (config.pretrain_dataset.name, config.pretrain_dataset.pad) == ("urbansound8k", "zeros")


def test_the_config_of_an_earlier_run_given_as_a_config_is_the_same(tmp_path: Path) -> None:
    path = stored(tmp_path, earlier())
    assert load_config(path).config == read_stored(path, "copy it again")
    assert load_config(path, ["augmentation.shorten.p=0.2"]).config.augmentation.shorten.p == 0.2


def test_an_earlier_run_goes_on_with_its_own_config_and_with_the_users(tmp_path: Path) -> None:
    path = stored(tmp_path, earlier())
    run = RunFolder(tmp_path)
    run.refuse(load_config(path).config, resume=True)
    goes_on = continued(written_by_hand(), path).config
    run.refuse(goes_on, resume=True)
    assert (goes_on.augmentation.shorten.p, goes_on.dataset.pad) == (0, "zeros")


def test_a_run_without_augmentation_goes_on_without_it(tmp_path: Path) -> None:
    bare = OWN.replace("augmentation: {noise: {p: 0.5}}\n", "")
    path = stored(tmp_path, earlier(bare + "augmentation: {}\n"))
    goes_on = continued(written_by_hand(bare), path).config
    RunFolder(tmp_path).refuse(goes_on, resume=True)
    assert all(section["p"] == 0 for section in plain(goes_on.augmentation).values() if isinstance(section, dict))


@pytest.mark.parametrize(
    ("changed", "key"),
    [
        (OWN.replace("p: 0.5", "p: 0.25"), "augmentation.noise.p"),
        (OWN.replace("{name: toy}", "{name: toy, pad: repeat}"), "dataset.pad"),
        (OWN.replace("{noise: {p: 0.5}}", "{noise: {p: 0.5}, shorten: {p: 0.3}}"), "augmentation.shorten.p"),
    ],
)
def test_what_the_user_gives_is_compared_as_it_is(tmp_path: Path, changed: str, key: str) -> None:
    path = stored(tmp_path, earlier())
    with pytest.raises(UserError, match="another config") as error:
        RunFolder(tmp_path).refuse(continued(written_by_hand(changed), path).config, resume=True)
    assert [line.split(":")[0].strip() for line in error.value.lines[1:]] == [key]
    assert str(path) in error.value.lines[0]


def test_a_run_of_today_or_a_damaged_one_changes_nothing(tmp_path: Path) -> None:
    loaded = written_by_hand()
    assert continued(loaded, tmp_path / "config.yaml") is loaded
    assert continued(loaded, stored(tmp_path, plain(loaded.config))) is loaded
    (tmp_path / "config.yaml").write_text("a: [", encoding="utf-8")
    assert continued(loaded, tmp_path / "config.yaml") is loaded
