"""`model.freeze`: which part of a network keeps the weights that it starts from."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

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
