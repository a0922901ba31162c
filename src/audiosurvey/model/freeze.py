"""`model.freeze` and `model.thaw`: which part of a network keeps the weights that it starts from, and until when."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from audiosurvey.section import Section

_FORMS = "takes `body` (all but the classifier), a number (so many blocks from the first), or a list of block numbers"


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


Freeze = Annotated[Literal["body"] | int | list[int] | None, BeforeValidator(_one_form)]
"""`body`, the number of blocks from the first, or block numbers as `describe` counts them."""


class ThawConfig(Section):
    """From one epoch on, less is frozen."""

    epoch: int = Field(ge=2)
    """The first epoch of which this holds, counted from 1."""
    freeze: Freeze = None
    """What stays frozen, in the forms of `model.freeze`; absent: nothing."""


def frozen_blocks(freeze: Literal["body"] | int | list[int] | None, blocks: int) -> list[int]:
    """The numbers of the frozen blocks of a network of `blocks`. Raises ValueError for one that is not there."""
    if freeze is None:
        return []
    if freeze == "body":
        return list(range(blocks))
    numbers = list(range(freeze)) if isinstance(freeze, int) else sorted(set(freeze))
    if numbers and numbers[-1] >= blocks:
        asked = f"{freeze} blocks" if isinstance(freeze, int) else f"block {numbers[-1]}"
        raise ValueError(f"{asked}: the network has {blocks}, counted from 0 to {blocks - 1}")
    return numbers


def frozen_in(
    epoch: int, freeze: Literal["body"] | int | list[int] | None, thaw: Sequence[ThawConfig], blocks: int
) -> list[int]:
    """The numbers of the blocks, of a network of `blocks`, that are frozen in an epoch."""
    for step in thaw:
        if step.epoch <= epoch:
            freeze = step.freeze
    return frozen_blocks(freeze, blocks)


def check_thaw(freeze: Literal["body"] | int | list[int] | None, thaw: Sequence[ThawConfig], blocks: int) -> None:
    """Raises ValueError where epochs are out of order, or a step thaws nothing or freezes something anew."""
    if thaw and freeze is None:
        raise ValueError("nothing is frozen that could thaw; give model.freeze")
    before, last = frozen_blocks(freeze, blocks), 1
    for step in thaw:
        if step.epoch <= last and last > 1:
            raise ValueError(f"epoch {step.epoch} stands after epoch {last}; put the epochs in order, each once")
        left, last = frozen_blocks(step.freeze, blocks), step.epoch
        if anew := sorted(set(left) - set(before)):
            raise ValueError(f"epoch {step.epoch}: block {anew[0]} was not frozen before; blocks only thaw")
        if left == before:
            raise ValueError(f"epoch {step.epoch}: freezes what was frozen before; leave it out, or freeze less")
        before = left
