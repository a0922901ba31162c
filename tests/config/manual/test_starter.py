import pytest

from audiosurvey.config.loader import load_text
from audiosurvey.config.manual.starter import starter
from audiosurvey.config.presets import preset_names
from audiosurvey.errors import UserError

DATASETS = ("esc50", "urbansound8k", "folder", "csv", "raven", "toy")


@pytest.mark.parametrize("dataset", DATASETS)
@pytest.mark.parametrize("preset", [None, *preset_names()])
def test_a_starter_loads(dataset: str, preset: str | None) -> None:
    loaded = load_text(starter(dataset, preset), "config.yaml")
    assert loaded.config.dataset.name == dataset
    assert not any("dataset" in warning for warning in loaded.warnings)
    if preset is None:
        assert loaded.warnings == ()
        assert loaded.config.augmentation.mixup.p > 0


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_key_has_its_comment(dataset: str) -> None:
    lines = [line for line in starter(dataset, "original").splitlines() if line and not line.startswith("#")]
    assert all("  # " in line for line in lines)
    assert max(map(len, lines)) <= 140


def test_names_that_are_not_there() -> None:
    with pytest.raises(UserError, match=r"^dataset='ecs50': expected one of .*; did you mean esc50\?$"):
        starter("ecs50")
    with pytest.raises(UserError, match=r"^preset='orginal': no such preset; did you mean original\?"):
        starter("toy", "orginal")


def test_sections_of_a_recipe_are_left_out_where_clips_are_no_longer() -> None:
    sections = {
        dataset: load_text(starter(dataset, "erann"), "config.yaml").config.train.crop_seconds
        for dataset in ("esc50", "urbansound8k", "toy")
    }
    assert sections == {"esc50": 4, "urbansound8k": None, "toy": None}


def test_a_probe_begins_without_what_has_no_effect_on_it() -> None:
    loaded = load_text(starter("folder", "probe-mn04"), "config.yaml")
    assert loaded.config.train.head_only
    assert loaded.warnings == ()


def test_where_other_classes_come_first_the_recipe_says_which_are_left() -> None:
    config = load_text(starter("esc50", "transfer-esc10"), "config.yaml").config
    assert config.dataset.subset == "esc10"
    assert load_text(starter("folder", "transfer-esc10"), "config.yaml").config.dataset.name == "folder"
