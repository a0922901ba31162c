"""Pydantic's errors in plain words, about the value as the user wrote it."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from audiosurvey.config.reading.faults import did_you_mean

_SECTION = "a section of keys and values"
_TYPES = {
    "int": "a whole number",
    "float": "a number",
    "string": "text",
    "list": "a list",
    "tuple": "a list",
    "set": "a list",
    "dict": _SECTION,
    "model": _SECTION,
    "path": "a path",
    "none": "null",
}
_MESSAGES = {
    "missing": "missing; it has no default",
    "greater_than": "{value} is out of range: it must be above {gt}",
    "greater_than_equal": "{value} is out of range: it must be at least {ge}",
    "less_than": "{value} is out of range: it must be below {lt}",
    "less_than_equal": "{value} is out of range: it must be at most {le}",
    "multiple_of": "{value} is out of range: it must be a multiple of {multiple_of}",
    "too_short": "{value} has too few values; expected at least {min_length}",
    "too_long": "{value} has too many values; expected at most {max_length}",
    "string_too_short": "{value} is too short; expected at least {min_length} characters",
    "finite_number": "{value} is not a finite number",
    "string_pattern_mismatch": "{value} does not match the pattern {pattern}",
    "value_error": "{error}",
    "assertion_error": "{error}",
}
Expected = Sequence[tuple[str, Mapping[str, Any]]]
"""The kind and the context of pydantic's errors about one value."""


def is_mismatch(kind: str) -> bool:
    """Whether an error of this kind means that the value is of the wrong type, rather than out of range."""
    return bool(_choices(kind, {}) is not None or _type(kind))


def explain(kind: str, value: Any, context: Mapping[str, Any], text: str) -> str:
    """The message for one error: its kind, the value, pydantic's context, and pydantic's own message."""
    if is_mismatch(kind):
        return mismatch(value, [(kind, context)])
    if kind not in _MESSAGES:
        return f"{show(value)}: {text}"
    shown = {name: str(item) if isinstance(item, (str, Exception)) else show(item) for name, item in context.items()}
    return " ".join(_MESSAGES[kind].format(value=show(value), **shown).split())


def mismatch(value: Any, expected: Expected) -> str:
    """The message for a value of the wrong type, from what each type that is allowed here complained about."""
    known = [word for kind, context in expected for word in _choices(kind, context) or []]
    types = list(dict.fromkeys(filter(None, (_type(kind) for kind, _ in expected))))
    choice = known if len(known) < 2 else [f"one of {', '.join(known)}"]
    wanted = " or ".join([*choice, *types])
    if value is None:
        return f"has no value; expected {wanted}"
    hint = did_you_mean(value, known)
    if types == ["text"] and not known and not isinstance(value, (list, dict)):
        hint = f"; put it in quotes: '{show(value)}'"
    elif isinstance(value, str) and value[:1].isdigit() and {"a number", "a whole number"} & set(types):
        hint = "; write it without spaces, commas and units, such as 44100 or 0.001"
    return f"{show(value)} is not {wanted}{hint}"


def show(value: Any, longest: int = 60) -> str:
    """A value as YAML would have it, of at most so many characters."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case float():
            return f"{value:.15g}"
        case str():
            text = repr(value)
        case list() | tuple():
            text = f"[{', '.join(show(item, longest) for item in value)}]"
        case dict():
            text = "{" + ", ".join(f"{key}: {show(item, longest)}" for key, item in value.items()) + "}"
        case _:
            text = str(value)
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def _type(kind: str) -> str | None:
    typed = kind.endswith(("_type", "_parsing", "_from_float", "_required"))
    return _TYPES.get(kind.split("_")[0]) if typed else None


def _choices(kind: str, context: Mapping[str, Any]) -> list[str] | None:
    """The words that an error of this kind allows; None for an error about anything else."""
    if kind.startswith("bool_"):
        return ["true", "false"]
    if kind not in ("literal_error", "enum"):
        return None
    # Pydantic lists them as "'auto', 'fp32' or 'bf16'".
    expected = str(context.get("expected", ""))
    return re.findall(r"'([^']*)'", expected) or [word for word in re.split(r", | or ", expected) if word]
