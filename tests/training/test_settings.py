"""How long a stage is, and what of it makes no sense."""

import pytest
from pydantic import ValidationError

from audiosurvey.config.root import Config
from audiosurvey.training.settings import DEFAULT_EPOCHS, TrainConfig


def test_patience_alone_ends_it_where_no_epochs_are_given():
    assert TrainConfig(epochs=0, patience=3).open_ended
    assert TrainConfig(patience=3).open_ended
    assert not TrainConfig(epochs=9, patience=3).open_ended


@pytest.mark.parametrize(
    ("train", "epochs", "selection"),
    [
        ({}, DEFAULT_EPOCHS, "last"),
        ({"epochs": 7}, 7, "last"),
        ({"patience": 3}, 0, "validation"),
        ({"epochs": 0, "patience": 3}, 0, "validation"),
        ({"epochs": 9, "patience": 3}, 9, "validation"),
        ({"epochs": 9, "patience": 0}, 9, "last"),
    ],
)
def test_what_is_absent_settles(train, epochs, selection):
    config = Config.model_validate({"train": train}).resolved()
    assert config.train.epochs == epochs
    assert config.protocol.selection == selection


def test_a_chosen_selection_stays():
    config = Config.model_validate({"train": {"patience": 3}, "protocol": {"selection": "test"}}).resolved()
    assert config.protocol.selection == "test"


@pytest.mark.parametrize(
    "wrong", [{"batch_size": 0}, {"lr": 0.0}, {"accum_iter": 0}, {"grad_clip_norm": -1}, {"num_workers": -1}]
)
def test_ranges(wrong):
    with pytest.raises(ValidationError):
        TrainConfig.model_validate(wrong)
