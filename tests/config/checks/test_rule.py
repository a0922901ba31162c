"""A key counts as given where its value is another than what the rest of the config settles."""

import pytest

from audiosurvey.config.checks.rule import defaults_beside, is_given
from audiosurvey.config.loader import load_text


@pytest.mark.parametrize(
    ("text", "path", "given"),
    [
        ("train: {lr: 0.5}", ("train", "lr"), True),
        ("{}", ("train", "lr"), False),
        ("optimizer: {beta1: 0.9}", ("optimizer", "beta1"), False),
        ("train: {patience: 3}", ("train", "patience"), True),
        ("train: {patience: 0}", ("train", "patience"), False),
        ("train: {patience: 3}", ("train", "epochs"), False),
        ("train: {patience: 3}", ("ema", "decay"), False),
        ("train: {patience: 3}", ("schedule", "name"), False),
        ("swa: {start: 0.5}", ("ema", "decay"), False),
        ("ema: {decay: 0.5}", ("ema", "decay"), True),
    ],
)
def test_what_is_given(text: str, path: tuple[str, ...], given: bool):
    config = load_text(text, "x").config
    assert is_given(config, path, defaults_beside(config)) == given


def test_what_is_written_out_is_not_given_again():
    config = load_text("train: {patience: 3}", "x").config
    again = load_text(load_text("train: {patience: 3}", "x").resolved_yaml(), "y").config
    assert again == config
    assert not is_given(again, ("schedule", "name"), defaults_beside(again))
