"""The keys that a config class allows at each path, read from its annotations."""

import types
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from audiosurvey.config.reading.document import Path
from audiosurvey.config.reading.faults import nearest

_IN_A_FILE = "spec"
"""Section that is usually a file of its own."""
_FEW = 3
"""A key that may stand in more sections, such as `p`, is not told where it belongs."""


def keys_at(model: type[BaseModel], path: Path) -> list[str]:
    """Keys allowed in the mapping at `path`; for an item of `blocks`, the names of all blocks."""
    return list(dict.fromkeys(name for section in sections_at(model, path) for name in section.model_fields))


def sections_at(model: type[BaseModel], path: Path) -> list[type[BaseModel]]:
    """The section classes that may stand at `path`."""
    kinds: list[Any] = [model]
    for part in path:
        kinds = [inner for kind in kinds for inner in _step(kind, part)]
    return [option for kind in kinds if _is_section(kind) for option in _options(kind)]


def meant(model: type[BaseModel], path: Path) -> str | None:
    """The key of its section that a misspelt one resembles; None where its very name is a key of another section."""
    return None if elsewhere(model, path) else nearest(path[-1], keys_at(model, path[:-1]))


def elsewhere(model: type[BaseModel], path: Path) -> list[str]:
    """The dotted paths, outside lists, at which the last key of `path` is allowed; empty if there are many.

    Of the settings that `pretrain` and `train` share, only those of the section that `path` is in are named. A key that
    its own section has in the plural or singular is meant to be that one.
    """
    if any(isinstance(part, int) for part in path) or _in_other_number(str(path[-1]), keys_at(model, path[:-1])):
        return []
    places = (place for place in all_paths(model, ()) if _IN_A_FILE not in place[:-1])
    found = [".".join(place) for place in places if place[-1] == str(path[-1])]
    first = [place for place in found if place.startswith("pretrain.") == (path[0] == "pretrain")] or found
    return first if len(first) <= _FEW else []


def _in_other_number(key: str, known: Iterable[str]) -> bool:
    return any(name in (f"{key}s", key.removesuffix("s")) for name in known)


def all_paths(section: type[BaseModel], path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The path of every key outside lists, below the section at `path`."""
    for name, info in section.model_fields.items():
        yield (*path, name)
        for kind in _kinds(info.annotation):
            if _is_section(kind):
                yield from all_paths(kind, (*path, name))


def _step(kind: Any, part: str | int) -> Iterable[Any]:
    """The annotations of what `part` leads to in a value of this annotation."""
    if _is_section(kind):
        fields = [option.model_fields.get(str(part)) for option in _options(kind)]
        return [inner for info in fields if info for inner in _kinds(info.annotation)]
    arguments = [argument for argument in get_args(kind) if argument is not Ellipsis]
    origin = get_origin(kind)
    if origin is dict:
        return _kinds(arguments[1])
    if isinstance(part, int) and origin in (list, tuple):
        return _kinds(arguments[part] if origin is tuple and part < len(arguments) else arguments[-1])
    return ()


def _kinds(annotation: Any) -> Iterator[Any]:
    """The members of a union, without the wrapping of `Annotated`."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _kinds(get_args(annotation)[0])
    elif origin in (Union, types.UnionType):
        for member in get_args(annotation):
            yield from _kinds(member)
    else:
        yield annotation


def _options(kind: type[BaseModel]) -> list[type[BaseModel]]:
    """The class itself; for one without fields, such as the base of all blocks, the classes derived from it."""
    derived = kind.__subclasses__()
    return [kind] if kind.model_fields or not derived else [leaf for each in derived for leaf in _options(each)]


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
