"""How long a stage is, and what of it makes no sense."""

import pytest
from pydantic import ValidationError

from audiosurvey.config.root import Config
from audiosurvey.training.settings import DEFAULT_EPOCHS, PretrainConfig, TrainConfig


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


@pytest.mark.parametrize(
    ("train", "pretrain", "expected"),
    [
        ({}, {}, [("cosine", 0.999)] * 2),
        ({"patience": 3}, {"epochs": 9, "patience": 2}, [("constant", 0.0)] * 2),
        ({"patience": 3}, {}, [("constant", 0.0), ("cosine", 0.999)]),
        ({}, {"epochs": 9, "patience": 2}, [("cosine", 0.999), ("constant", 0.0)]),
    ],
)
def test_schedule_and_averaging_settle_by_the_stage(train, pretrain, expected):
    asked = {"train": train, "pretrain": {"dataset": {"name": "toy"}, **pretrain}}
    config = Config.model_validate(asked).resolved()
    again = Config.model_validate(config.model_dump()).resolved()
    for settled in (config, again):
        stages = [settled.for_stage(stage) for stage in (settled.train, settled.pretrain)]
        assert [(stage.schedule.name, stage.ema.decay) for stage in stages] == expected
    if expected[0] == expected[1]:
        assert (config.schedule.name, config.ema.decay) == expected[0]
    # Without a pretraining its settings say nothing.
    alone = Config.model_validate(asked | {"pretrain": pretrain}).resolved()
    assert (alone.schedule.name, alone.ema.decay) == expected[0]


def test_what_is_asked_for_holds_in_both_stages():
    asked = {"train": {"patience": 3}, "pretrain": {"dataset": {"name": "toy"}, "epochs": 9}}
    config = Config.model_validate(asked | {"schedule": {"name": "ramp"}, "ema": {"decay": 0.5}}).resolved()
    for stage in (config.train, config.pretrain):
        assert (config.for_stage(stage).schedule.name, config.for_stage(stage).ema.decay) == ("ramp", 0.5)


@pytest.mark.parametrize(("key", "value"), [("head_only", True), ("head_first", True), ("head_penalty", 0.1)])
def test_a_pretraining_fits_no_classifier(key, value):
    with pytest.raises(ValidationError, match=f"set train.{key}"):
        PretrainConfig.model_validate({key: value})
    # As a resolved config says it.
    assert PretrainConfig.model_validate(PretrainConfig().model_dump()) == PretrainConfig()


def test_a_chosen_selection_stays():
    config = Config.model_validate({"train": {"patience": 3}, "protocol": {"selection": "test"}}).resolved()
    assert config.protocol.selection == "test"


@pytest.mark.parametrize(
    "wrong", [{"batch_size": 0}, {"lr": 0.0}, {"accum_iter": 0}, {"grad_clip_norm": -1}, {"num_workers": -1}]
)
def test_ranges(wrong):
    with pytest.raises(ValidationError):
        TrainConfig.model_validate(wrong)
