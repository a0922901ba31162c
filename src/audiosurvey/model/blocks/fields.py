"""Field types of block options, with their limits."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field


def takes(words: str, count: int) -> BeforeValidator:
    """Checks the length of a list, and describes its items if the length is wrong."""

    def check(value: Any) -> Any:
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"takes {words}, not {'nothing' if value is None else repr(value)}")
        if len(value) != count:
            raise ValueError(f"takes {words}, not {len(value)} value{'s' * (len(value) != 1)}")
        return value

    return BeforeValidator(check)


Width = Annotated[int, Field(ge=1, le=65_536)]
"""A number of channels or features."""
Side = Annotated[int, Field(ge=1, le=4_096)]
"""A side of a kernel, stride or block, in frames or bands."""
Sides = Annotated[tuple[Side, Side], takes("two numbers, [frames, bands]", 2)]
Rate = Annotated[float, Field(ge=0, lt=1)]
"""A dropout rate."""
Chance = Annotated[float, Field(ge=0, le=1)]
"""A probability per clip."""
