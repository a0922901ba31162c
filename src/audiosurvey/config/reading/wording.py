"""Pydantic's complaints in plain words: one line each, about the value as the user wrote it."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from audiosurvey.config.reading.faults import did_you_mean

EXPECTED: dict[str, str] = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "text",
    "list": "a list",
    "tuple": "a list",
    "set": "a list",
    "dict": "a section of keys and values",
    "model": "a section of keys and values",
    "model_attributes": "a section of keys and values",
    "path": "a path",
}
_LIMITS = {
    "greater_than": ("gt", "must be above"),
    "greater_than_equal": ("ge", "must be at least"),
    "less_than": ("lt", "must be below"),
    "less_than_equal": ("le", "must be at most"),
    "multiple_of": ("multiple_of", "must be a multiple of"),
}
_LENGTHS = {"too_short": "min_length", "string_too_short": "min_length", "too_long": "max_length"}


def is_mismatch(kind: str) -> bool:
    """Whether an error of this type says that the value is of another type altogether, not merely out
    of range."""
    return kind in ("literal_error", "enum", "int_from_float", "none_required") or _expected(kind) is not None


def explain(kind: str, value: Any, context: Mapping[str, Any], text: str) -> str:
    """The message for one error of pydantic's: its type, the value it met, its context, and its own words."""
    if is_mismatch(kind):
        return mismatch(value, [(kind, context)])
    if kind == "missing":
        return "missing; it has no default"
    if kind in _LIMITS:
        key, words = _LIMITS[kind]
        return f"{show(value)} is out of range: it {words} {show(context[key])}"
    if kind in _LENGTHS:
        return _length(value, int(context[_LENGTHS[kind]]), "at least" if "short" in kind else "at most")
    if kind == "finite_number":
        return f"{show(value)} is not a finite number"
    if kind == "string_pattern_mismatch":
        return f"{show(value)} is not of the form {context['pattern']}"
    if kind in ("value_error", "assertion_error"):
        return " ".join(str(context.get("error", text)).split())
    text = re.sub(r"^Input should ", "must ", text)
    return f"{show(value)}: {text[:1].lower()}{text[1:]}"


def mismatch(value: Any, expected: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """A value of the wrong type, given what each branch of the key's type expected."""
    known: list[str] = []
    others: list[str] = []
    for kind, context in expected:
        if kind in ("literal_error", "enum"):
            known += choices(str(context["expected"]))
        elif (words := _expected(kind)) is not None:
            others.append(words)
    if known and "true or false" in others:
        others.remove("true or false")
        known = ["true", "false", *known]
    others = list(dict.fromkeys(others))
    if value is None:
        options = ["one of " + ", ".join(known)] if known else []
        return f"has no value; expected {' or '.join(options + others) or 'one'}"
    if known:
        tail = f", nor {' nor '.join(others)}" if others else ""
        return f"{show(value)} is not one of {', '.join(known)}{tail}{did_you_mean(value, known)}"
    if others == ["true or false"]:
        return f"{show(value)} is neither true nor false"
    if others == ["text"] and not isinstance(value, (list, dict)):
        return f"{show(value)} is not text; put it in quotes: '{show(value)}'"
    return f"{show(value)} is not {' or '.join(others) or 'allowed here'}{_number_mend(value, others)}"


def choices(expected: str) -> list[str]:
    """The words of pydantic's "'auto', 'fp32' or 'bf16'"."""
    quoted = re.findall(r"'([^']*)'", expected)
    return quoted or [word for word in re.split(r", | or ", expected) if word]


def show(value: Any) -> str:
    """A value as YAML would have it, short enough for a line."""
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
            text = "[" + ", ".join(map(show, value)) + "]"
        case dict():
            text = "{" + ", ".join(f"{key}: {show(item)}" for key, item in value.items()) + "}"
        case _:
            text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _expected(kind: str) -> str | None:
    if kind == "none_required":
        return "null"
    stem = re.sub(r"(_attributes)?_(type|parsing|parsing_size|from_float)$", "", kind)
    return EXPECTED.get(stem) if stem != kind else None


def _length(value: Any, bound: int, words: str) -> str:
    if isinstance(value, str):
        return f"{show(value)} has {len(value)} letters; expected {words} {bound}"
    have = len(value) if isinstance(value, (list, tuple, dict)) else "another number"
    return f"{show(value)} has {have} value{'s' if have != 1 else ''}; expected {words} {bound}"


def _number_mend(value: Any, others: Sequence[str]) -> str:
    if not isinstance(value, str) or not {"a number", "a whole number"} & set(others):
        return ""
    text = value.strip()
    if re.fullmatch(r"[-+]?[1-9][0-9]{0,2}([ ,'][0-9]{3})+", text):
        whole = re.sub(r"[ ,']", "", text)
        either = "a number" in others and re.fullmatch(r"[-+]?[0-9]+,[0-9]+", text)
        return f"; write {whole}" + (f", or {text.replace(',', '.')} for the decimal" if either else "")
    if re.fullmatch(r"[-+]?[0-9]+,[0-9]+", text):
        return f"; write {text.replace(',', '.')}"
    if re.fullmatch(r"[-+]?[0-9._]+ ?[a-zA-Z%]+", text):
        return "; leave the unit out"
    return ""
