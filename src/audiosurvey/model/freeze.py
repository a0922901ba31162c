"""`model.freeze` and `model.thaw`: which blocks are frozen, and until which epoch."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from audiosurvey.section import Section

_FORMS = "takes `body` (all but the classifier), a number (the first so many blocks), or a list of block numbers"


def _one_form(value: Any) -> Any:
    if value is None or value == "body":
        return value
    if isinstance(value, (bool, str, float, Mapping)):
        raise ValueError(f"{_FORMS}; not {value!r}")
    if isinstance(value, int) and value < 1:
        raise ValueError(f"{_FORMS}; leave it out to freeze nothing")
    if isinstance(value, (list, tuple)):
        wrong = [item for item in value if isinstance(item, bool) or not isinstance(item, int) or item < 0]
        if wrong:
            raise ValueError(f"{_FORMS}, counted from 0; not {wrong[0]!r}")
    return value


_Freeze = Literal["body"] | int | list[int] | None
Freeze = Annotated[_Freeze, BeforeValidator(_one_form)]
"""`body`, a number of blocks counted from the first, or block numbers as printed by `describe`."""


class ThawConfig(Section):
    """A step of gradual unfreezing."""

    epoch: int = Field(ge=2)
    """First epoch of this step, counted from 1."""
    freeze: Freeze = None
    """Blocks that stay frozen, in the form of `model.freeze`; null for none."""


def frozen_blocks(freeze: _Freeze, blocks: int) -> list[int]:
    """Indices of the frozen blocks of a network of `blocks`. Raises ValueError for an index out of range."""
    if freeze is None:
        return []
    if freeze == "body":
        return list(range(blocks))
    numbers = list(range(freeze)) if isinstance(freeze, int) else sorted(set(freeze))
    if numbers and numbers[-1] >= blocks:
        asked = f"{freeze} blocks" if isinstance(freeze, int) else f"block {numbers[-1]}"
        raise ValueError(f"{asked}: the network has {blocks} blocks, numbered from 0 to {blocks - 1}")
    return numbers


def frozen_in(epoch: int, freeze: _Freeze, thaw: Sequence[ThawConfig], blocks: int) -> list[int]:
    """Indices of the blocks, of a network of `blocks`, that are frozen in an epoch."""
    for step in thaw:
        if step.epoch <= epoch:
            freeze = step.freeze
    return frozen_blocks(freeze, blocks)


def check_thaw(freeze: _Freeze, thaw: Sequence[ThawConfig], blocks: int) -> None:
    """Raises ValueError if epochs are out of order, or if a step unfreezes nothing or freezes further blocks."""
    if thaw and freeze is None:
        raise ValueError("no block is frozen; set model.freeze")
    before, last = frozen_blocks(freeze, blocks), 1
    for step in thaw:
        if step.epoch <= last and last > 1:
            raise ValueError(f"epoch {step.epoch} comes after epoch {last}; list each epoch once, in ascending order")
        left, last = frozen_blocks(step.freeze, blocks), step.epoch
        if anew := sorted(set(left) - set(before)):
            raise ValueError(f"epoch {step.epoch}: block {anew[0]} was not frozen before; thaw can only unfreeze")
        if left == before:
            raise ValueError(f"epoch {step.epoch}: unfreezes nothing; remove this step, or freeze fewer blocks")
        before = left
