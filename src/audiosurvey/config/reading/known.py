"""What may stand where: the keys a config class allows at a path, read from its annotations."""

import types
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from audiosurvey.config.reading.document import Path

_FEW = 3
"""A key of more places, such as `p`, says little about where it belongs."""


def keys_at(model: type[BaseModel], path: Path) -> list[str]:
    """Keys allowed in the mapping at `path`; for a list of blocks' item, the names of all blocks."""
    return list(dict.fromkeys(name for section in sections_at(model, path) for name in section.model_fields))


def sections_at(model: type[BaseModel], path: Path) -> list[type[BaseModel]]:
    """The section classes that may stand at `path` (several where a union leaves it open)."""
    return [option for kind in _at(model, path) if _is_section(kind) for option in _options(kind)]


def description_of(model: type[BaseModel], path: Path) -> str | None:
    """The manual's words on the key at `path`."""
    for section in sections_at(model, path[:-1]):
        if path and (found := section.model_fields.get(str(path[-1]))):
            return found.description
    return None


def all_keys(model: type[BaseModel]) -> dict[str, list[str]]:
    """For every key outside lists the dotted paths at which it may stand: to say where a stray one
    belongs."""
    found: dict[str, list[str]] = {}

    def visit(section: type[BaseModel], path: tuple[str, ...]) -> None:
        for name, info in section.model_fields.items():
            found.setdefault(name, []).append(".".join((*path, name)))
            for kind in _kinds(info.annotation):
                if _is_section(kind) and len(path) < 6:
                    visit(kind, (*path, name))

    visit(model, ())
    return found


def elsewhere(model: type[BaseModel], path: Path) -> list[str]:
    """Where else the last key of `path` may stand, if that is told by its name: in few places, none of them a list.

    What a pretraining has in common with the training is named for the one in which `path` is.
    """
    if any(isinstance(part, int) for part in path):
        return []
    found = all_keys(model).get(str(path[-1]), [])
    first = [place for place in found if place.startswith("pretrain.") == (path[0] == "pretrain")] or found
    return first if len(first) <= _FEW else []


def _at(model: type[BaseModel], path: Path) -> list[Any]:
    kinds: list[Any] = [model]
    for part in path:
        kinds = [inner for kind in kinds for inner in _step(kind, part)]
    return kinds


def _step(kind: Any, part: str | int) -> Iterable[Any]:
    if _is_section(kind):
        fields = [option.model_fields.get(str(part)) for option in _options(kind)]
        return [inner for info in fields if info for inner in _kinds(info.annotation)]
    arguments = [argument for argument in get_args(kind) if argument is not Ellipsis]
    origin = get_origin(kind)
    if isinstance(origin, type) and issubclass(origin, dict) and len(arguments) == 2:
        return _kinds(arguments[1])
    if isinstance(origin, type) and isinstance(part, int) and arguments:
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
    elif hasattr(annotation, "__value__"):  # `type Name = ...`
        yield from _kinds(annotation.__value__)
    else:
        yield annotation


def _options(kind: type[BaseModel]) -> list[type[BaseModel]]:
    """The class itself; for one without fields, such as the base of all blocks, the classes derived
    from it."""
    derived = kind.__subclasses__()
    return [kind] if kind.model_fields or not derived else [leaf for each in derived for leaf in _options(each)]


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
