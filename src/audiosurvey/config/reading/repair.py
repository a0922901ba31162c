"""Taking the faulty parts out of a config, so that the rest can be checked in the same go.

In: plain data and the path of a fault. Out: the data, changed in place so that the fault is gone and as
much as possible of what the user meant stays: a misspelt key is taken for the one it resembles, a faulty
block of the network becomes one that changes nothing, anything else falls back to its default.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from audiosurvey.config.reading.document import Path, get
from audiosurvey.config.reading.faults import nearest
from audiosurvey.config.reading.known import elsewhere, keys_at, sections_at


@dataclass
class Repaired:
    """What repairs left behind."""

    faulty: set[Path] = field(default_factory=set)
    """Paths whose fault has been told: nothing more is said of them, of what is under them or of what
    holds them."""
    unknown: set[Path] = field(default_factory=set)
    """Paths that stand at a default because what the user meant is not known."""


def touches(path: Path, other: Path) -> bool:
    """Whether one of two paths leads to the other."""
    length = min(len(path), len(other))
    return path[:length] == other[:length]


def repair(
    model: type[BaseModel], data: Any, path: Path, repaired: Repaired, neutral: Mapping[str, Any] | None
) -> bool:
    """Take the smallest part out of `data` that holds the fault at `path`; False if nothing is left to
    take."""
    repaired.faulty.add(path)
    path = existing(data, path)
    while path:
        parent, key = get(data, path[:-1]), path[-1]
        alone = isinstance(parent, dict) and len(parent) == 1 and len(path) > 1 and isinstance(path[-2], int)
        if isinstance(parent, dict) and not alone:
            _take_out(model, parent, path, repaired)
            return True
        if isinstance(parent, list) and isinstance(key, int) and sections_at(model, path):
            repaired.faulty.add(path)
            _replace_item(model, parent, path, repaired, neutral)
            return True
        path = path[:-1]
    return False


def leave_empty(model: type[BaseModel], data: Any, path: Path) -> None:
    """A section with nothing in it is left out, so that its default holds, and is an empty one where it has none: what
    it lacks is told then."""
    parent, key = get(data, path[:-1]), path[-1]
    fields = [section.model_fields.get(str(key)) for section in sections_at(model, path[:-1])]
    if isinstance(parent, dict) and not any(field.is_required() for field in fields if field):
        del parent[key]
    else:
        parent[key] = {}


def _take_out(model: type[BaseModel], parent: dict[str, Any], path: Path, repaired: Repaired) -> None:
    value = parent.pop(str(path[-1]))
    repaired.faulty.add(path)
    known = keys_at(model, path[:-1])
    near = None if path[-1] in known or elsewhere(model, path) else nearest(path[-1], known)
    if near is None:
        repaired.unknown.add(path)
    elif near not in parent:
        parent[near] = value
        repaired.faulty.add((*path[:-1], near))


def _replace_item(
    model: type[BaseModel],
    items: list[Any],
    path: Path,
    repaired: Repaired,
    neutral: Mapping[str, Any] | None,
) -> None:
    """A faulty item becomes, whichever holds first: the item of the resembling name, that with its
    defaults, `neutral`."""
    index, item, known = int(path[-1]), items[int(path[-1])], keys_at(model, path)
    key, value = next(iter(item.items())) if isinstance(item, dict) and len(item) == 1 else (item, None)
    near = nearest(key, known)
    if near is not None and near != key:
        items[index] = {near: {} if value is None else value}
    elif near is not None and item not in ({near: {}}, neutral):
        items[index] = {near: {}}
    elif neutral is not None and item != neutral and set(neutral) <= set(known):
        items[index] = dict(neutral)
    else:
        del items[index:]
        repaired.unknown.add(path[:-1])
    if near is None:
        # An item of unknown meaning may change everything after it.
        repaired.faulty.update((*path[:-1], later) for later in range(index, len(items) + 1))


def existing(data: Any, path: Path) -> Path:
    """The longest part of `path` that is there."""
    for end in range(len(path)):
        try:
            data = data[path[end]]
        except (KeyError, IndexError, TypeError):
            return path[:end]
    return path
