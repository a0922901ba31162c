"""Recipes: their number, their values and their names."""

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_survey import MakeSurvey

from audiosurvey.errors import UserError
from audiosurvey.surveys.planning.grid import expand, safe_name
from audiosurvey.surveys.planning.reading import load_survey


def test_a_grid_and_its_names(make_survey: MakeSurvey):
    path = make_survey(
        "sweep: {train.lr: [1e-3, 0.01], loss.name: [cross_entropy, bce]}", configs="configs: [net.yaml, tiny]"
    )
    recipes = expand(load_survey(path))
    assert [recipe.name for recipe in recipes[:4]] == [
        "net_lr=0.001_loss.name=cross_entropy",
        "net_lr=0.001_loss.name=bce",
        "net_lr=0.01_loss.name=cross_entropy",
        "net_lr=0.01_loss.name=bce",
    ]
    assert len(recipes) == 8
    assert recipes[3].sweep == {"train.lr": 0.01, "loss.name": "bce"}
    assert (recipes[3].config.train.lr, recipes[3].config.loss.name) == (0.01, "bce")
    assert recipes[0].config.model != recipes[4].config.model


def test_a_list_of_combinations(make_survey: MakeSurvey):
    points = "sweep: {list: [{train.lr: 0.1}, {train.lr: 0.2, train.batch_size: 4}]}"
    path = make_survey(points, configs="configs: [net.yaml]")
    recipes = expand(load_survey(path))
    assert [recipe.name for recipe in recipes] == ["net_lr=0.1", "net_lr=0.2_batch_size=4"]
    assert [recipe.config.train.batch_size for recipe in recipes] == [8, 4]


def test_a_list_is_a_value(make_survey: MakeSurvey):
    points = "sweep: {mel_spectrogram.n_mels: [16, 8], tracking: [[], [tensorboard]]}"
    path = make_survey(points, configs="configs: [net.yaml]")
    assert expand(load_survey(path))[3].name == "net_n_mels=8_tracking=tensorboard"


def test_data_sets_replace_those_of_the_configs(make_survey: MakeSurvey, tones: Path):
    path = make_survey(configs="configs: [net.yaml]")
    text = path.read_text().replace("}]", "}, {name: toy, root: toy}, {name: toy, root: other}]")
    path.write_text(text)
    recipes = expand(load_survey(path))
    assert [recipe.name for recipe in recipes] == [f"net@{safe_name(tones.name)}", "net@toy", "net@toy-2"]
    assert [recipe.config.dataset.name for recipe in recipes] == ["folder", "toy", "toy"]
    assert recipes[0].dataset == tones.name


def test_overrides_reach_every_config(make_survey: MakeSurvey):
    recipes = expand(load_survey(make_survey()), ["train.lr=0.5"])
    assert {recipe.config.train.lr for recipe in recipes} == {0.5}


def test_configs_beside_the_survey_file_are_found(make_survey: MakeSurvey, tmp_path: Path, monkeypatch):
    path = make_survey()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert [recipe.name for recipe in expand(load_survey(path))] == ["net", "wide"]


def test_a_config_on_other_data_than_the_survey_has_names_that_data(
    make_survey: MakeSurvey, tones: Path, tmp_path: Path
):
    other, copy = tmp_path / "other", tmp_path / "copy" / tones.name
    for root in (other, copy):
        shutil.copytree(tones, root)
    entries = [
        f"{{config: net.yaml, name: {root.parent.name}, set: {{dataset.root: '{root}'}}}}" for root in (other, copy)
    ]
    recipes = expand(load_survey(make_survey(configs=f"configs: [net.yaml, {', '.join(entries)}]")))
    title = safe_name(tones.name)
    assert [recipe.dataset for recipe in recipes] == [title, "other", title]


@given(st.text())
def test_names_are_names_of_folders(text: str):
    name = safe_name(text)
    assert name
    assert Path(name).name == name
    assert not set(name) & set('<>:"/\\|?*\0')


@pytest.mark.parametrize("letter", ["n", "日"])
def test_long_names_of_rows_are_names_of_folders(make_survey: MakeSurvey, tmp_path: Path, letter: str):
    """File systems allow 255 bytes."""
    blocks = [{"conv_block": {"channels": 4, "layers": 1}}, *[{"dropout": 0.1}] * 9]
    lists = [[*blocks, {"pooling": {"mode": mode}}] for mode in ("avg", "max")]
    sweep = {"model.blocks": lists, "loss.name": ["cross_entropy", "bce"], "optimizer.name": ["adam", "sgd"]}
    path = make_survey(f"sweep: {json.dumps(sweep)}", configs=f"configs: [{{config: net.yaml, name: {letter * 90}}}]")
    path.write_text(path.read_text().replace("datasets: [", "datasets: [{name: toy}, "))
    names = [recipe.name for recipe in expand(load_survey(path))]
    assert len(set(names)) == len(names) == 16
    assert sum("@toy" in name for name in names) == 8
    for name in names:
        (tmp_path / f"{name}-searched-seed4294967295-1").mkdir()


def test_names_that_differ_in_case_only_are_numbered(make_survey: MakeSurvey):
    """They are one folder on some systems."""
    configs = "configs: [net.yaml, {config: net.yaml, name: Net, set: {train.lr: 0.5}}]"
    assert [recipe.name for recipe in expand(load_survey(make_survey(configs=configs)))] == ["net", "Net-2"]


@pytest.mark.parametrize("key", ["train.lr", "pretrain.lr"])
def test_ambiguous_keys_are_written_out(make_survey: MakeSurvey, key: str):
    path = make_survey("sweep: {train.lr: [0.1], pretrain.lr: [0.2]}", configs="configs: [net.yaml]")
    assert f"{key}=" in expand(load_survey(path))[0].name


def test_values_of_either_sign_and_long_ones_have_names_of_their_own(make_survey: MakeSurvey):
    long = [{"conv_block": {"channels": 4, "layers": 1}}, *[{"dropout": 0.1}] * 9]
    lists = [[*long, {"pooling": {"mode": mode}}] for mode in ("avg", "max")]
    names = [
        recipe.name
        for sweep in ({"augmentation.gain.min_db": [-6, 6]}, {"model.blocks": lists})
        for recipe in expand(load_survey(make_survey(f"sweep: {json.dumps(sweep)}", configs="configs: [net.yaml]")))
    ]
    assert names[:2] == ["net_min_db=-6", "net_min_db=6"]
    assert len(set(names)) == 4


def test_how_clips_are_heard_is_kept_from_the_config(make_survey: MakeSurvey, tmp_path: Path, tones: Path):
    text = (tmp_path / "net.yaml").read_text()
    own = "dataset: {name: csv, table: there.csv, clip_seconds: 1, mono: left, pad: zeros, classes: [low, mid]}\n"
    (tmp_path / "net.yaml").write_text(text + own)
    path = make_survey(configs="configs: [net.yaml]")
    shown = path.read_text()
    # `clip_seconds: 0.5` of the survey wins; which data are used is the survey's alone.
    found = expand(load_survey(path))[0].config.dataset
    assert (found.clip_seconds, found.mono, found.pad) == (0.5, "left", "zeros")
    assert (found.name, found.table, found.classes) == ("folder", None, None)
    path.write_text(shown.replace(", clip_seconds: 0.5", ""))
    assert expand(load_survey(path))[0].config.dataset.clip_seconds == 1
    path.write_text(shown.replace("clip_seconds: 0.5", "clip_seconds: null, mono: mean"))
    found = expand(load_survey(path))[0].config.dataset
    assert (found.clip_seconds, found.mono, found.pad) == (None, "mean", "zeros")


def test_faults_of_keys_that_are_kept_have_their_line(make_survey: MakeSurvey, tmp_path: Path):
    (tmp_path / "net.yaml").write_text((tmp_path / "net.yaml").read_text() + "dataset:\n  pad: zero\n")
    with pytest.raises(UserError, match=r"net.yaml:13: dataset.pad: 'zero' is not one of"):
        expand(load_survey(make_survey(configs="configs: [net.yaml]")))


def test_data_sets_of_configs_without_such_keys_have_the_ids_of_before(make_survey: MakeSurvey, tmp_path: Path):
    plain = expand(load_survey(make_survey(configs="configs: [net.yaml]")))[0].config
    (tmp_path / "net.yaml").write_text((tmp_path / "net.yaml").read_text() + "dataset: {name: toy, classes: [low]}\n")
    assert expand(load_survey(make_survey(configs="configs: [net.yaml]")))[0].config == plain
