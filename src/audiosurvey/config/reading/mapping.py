"""A config given as a mapping instead of a file: values of Python as the plain data that a file would give."""

from collections.abc import Mapping, Sequence, Set
from numbers import Integral, Real
from pathlib import PurePath
from typing import Any

from pydantic import BaseModel

from audiosurvey.config.reading.document import Document
from audiosurvey.errors import UserError


def document_of(values: Mapping[str, Any] | BaseModel, name: str = "config") -> Document:
    """A document of nested mappings, sequences, paths and numbers; its faults are located by key, without lines.

    Raises UserError for a key that is not text, and for a value that no config can hold.
    """
    return Document(name, plain_value(values, name), has_lines=False)


def plain_value(value: Any, where: str) -> Any:
    """The value as dicts, lists and scalars. `where` names it in messages."""
    if isinstance(value, BaseModel):
        value = {key: getattr(value, key) for key in type(value).model_fields}
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise UserError(f"{where}: the key {key!r} is not text; expected the name of a key")
        return {key: plain_value(item, f"{where}: {key}") for key, item in value.items()}
    if isinstance(value, PurePath):
        return value.as_posix()
    if value is None or isinstance(value, bool | str):
        return value
    # Numbers of NumPy too.
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    if isinstance(value, Sequence | Set) and not isinstance(value, bytes):
        return [plain_value(item, f"{where}.{index}") for index, item in enumerate(value)]
    raise UserError(f"{where}: {type(value).__name__}: not a value of a config; expected text, a number or a list")
