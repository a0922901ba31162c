"""`model.freeze`: its three forms, and what is said to others."""

from typing import Any

import pytest
from pydantic import ValidationError

from audiosurvey.model.freeze import frozen_blocks
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
        (5, "5 blocks: the network has 4, counted from 0 to 3"),
        ([0, 4], "block 4: the network has 4"),
    ],
)
def test_other_forms(freeze: Any, words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ModelConfig(blocks=BLOCKS, freeze=freeze)
    (error,) = caught.value.errors()
    assert error["loc"] == ("freeze",)
    assert words in error["msg"]
