"""`model.freeze`: its three forms, and what is said to others."""

from typing import Any

import pytest
from pydantic import ValidationError

from audiosurvey.model.freeze import frozen_blocks, frozen_in
from audiosurvey.model.grammar import ModelConfig

BLOCKS = [{"fc": 3}] * 4


@pytest.mark.parametrize(
    ("freeze", "blocks"),
    [(None, []), ("body", [0, 1, 2, 3]), (2, [0, 1]), (4, [0, 1, 2, 3]), ([3, 1, 1], [1, 3]), ([], [])],
)
def test_forms(freeze: Any, blocks: list[int]) -> None:
    assert ModelConfig(blocks=BLOCKS, freeze=freeze).freeze == freeze
    assert frozen_blocks(freeze, 4) == blocks


@pytest.mark.parametrize(
    ("freeze", "words"),
    [
        ("all", "takes `body`"),
        (0, "leave it out"),
        (-1, "leave it out"),
        (True, "takes `body`"),
        (1.5, "takes `body`"),
        ([0, "1"], "counted from 0; not '1'"),
        ([-1], "not -1"),
        (5, "5 blocks: the network has 4 blocks, numbered from 0 to 3"),
        ([0, 4], "block 4: the network has 4"),
    ],
)
def test_other_forms(freeze: Any, words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ModelConfig(blocks=BLOCKS, freeze=freeze)
    (error,) = caught.value.errors()
    assert error["loc"] == ("freeze",)
    assert words in error["msg"]


def thawed(*steps: dict[str, Any], freeze: Any = "body") -> ModelConfig:
    return ModelConfig(blocks=BLOCKS, freeze=freeze, thaw=list(steps))


def test_what_is_frozen_in_each_epoch_by_hand() -> None:
    model = thawed({"epoch": 3, "freeze": 2}, {"epoch": 4, "freeze": [0]}, {"epoch": 6})
    frozen = {epoch: frozen_in(epoch, model.freeze, model.thaw, 4) for epoch in range(1, 8)}
    body = [0, 1, 2, 3]
    assert frozen == {1: body, 2: body, 3: [0, 1], 4: [0], 5: [0], 6: [], 7: []}
    assert frozen_in(9, "body", [], 4) == body


@pytest.mark.parametrize(
    ("steps", "freeze", "words"),
    [
        ([{"epoch": 2}], None, "no block is frozen; set model.freeze"),
        ([{"epoch": 4, "freeze": 2}, {"epoch": 3}], "body", "epoch 3 comes after epoch 4"),
        ([{"epoch": 4, "freeze": 2}, {"epoch": 4}], "body", "epoch 4 comes after epoch 4"),
        ([{"epoch": 2, "freeze": 3}], 2, "epoch 2: block 2 was not frozen before; thaw can only unfreeze"),
        ([{"epoch": 2, "freeze": 4}], "body", "epoch 2: unfreezes nothing"),
        ([{"epoch": 2, "freeze": 9}], "body", "9 blocks: the network has 4"),
    ],
)
def test_thawing_that_is_none(steps: list[dict[str, Any]], freeze: Any, words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        thawed(*steps, freeze=freeze)
    (error,) = caught.value.errors()
    assert error["loc"] == ("thaw",)
    assert words in error["msg"]
