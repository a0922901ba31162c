"""The kinds of numbers a block's YAML holds, with their limits and what is said when they are broken."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field


def _from_to(low: int, high: int, what: str) -> AfterValidator:
    def check(value: int) -> int:
        if not low <= value <= high:
            raise ValueError(f"{what} is a whole number from {low} to {high}, not {value}")
        return value

    return AfterValidator(check)


def _share(value: float) -> float:
    if not 0 <= value < 1:
        raise ValueError(f"the share that is dropped is 0 or more and below 1, else nothing is left; not {value:g}")
    return value


def _chance(value: float) -> float:
    if not 0 <= value <= 1:
        raise ValueError(f"the chance that a clip is touched at all lies between 0 and 1; not {value:g}")
    return value


def takes(words: str, count: int) -> BeforeValidator:
    """Says in words what a list holds when it has the wrong length, instead of counting positions."""

    def check(value: Any) -> Any:
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"takes {words}, not {'nothing' if value is None else repr(value)}")
        if len(value) != count:
            raise ValueError(f"takes {words}, not {len(value)} value{'s' * (len(value) != 1)}")
        return value

    return BeforeValidator(check)


Width = Annotated[
    int,
    _from_to(1, 65_536, "a number of channels or features"),
    Field(json_schema_extra={"minimum": 1, "maximum": 65_536}),
]
"""A number of channels or features."""
Side = Annotated[
    int,
    _from_to(1, 4_096, "a side in frames or bands"),
    Field(json_schema_extra={"minimum": 1, "maximum": 4_096}),
]
"""A side of a kernel, stride or block, in frames or bands of the map it meets."""
Sides = Annotated[tuple[Side, Side], takes("two numbers, [frames, bands]", 2)]
"""A pair of sides."""
Rate = Annotated[float, AfterValidator(_share), Field(json_schema_extra={"minimum": 0, "exclusiveMaximum": 1})]
"""A share that is dropped."""
Chance = Annotated[float, AfterValidator(_chance), Field(json_schema_extra={"minimum": 0, "maximum": 1})]
"""A probability for each single clip."""
