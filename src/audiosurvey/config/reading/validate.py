"""Checks a document against a config class: gives the config, or every fault with the path of its key.

Faulty parts are taken out of a copy until the rest is valid, so that rules across sections can report in the same go.
"""

from collections.abc import Collection, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from audiosurvey.config.reading.document import Document, Path, get
from audiosurvey.config.reading.faults import did_you_mean
from audiosurvey.config.reading.keys import elsewhere, keys_at, meant, sections_at
from audiosurvey.config.reading.wording import explain, is_mismatch, mismatch, show
from audiosurvey.errors import Fault

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Checked(Generic[M]):
    """What a validation gave."""

    config: M | None
    """The document as a config, faulty parts at their defaults; None if that is no config either."""
    faults: tuple[Fault, ...]
    replaced: frozenset[Path]
    """Paths whose value is not what the user meant: faulty parts, and the keys that misspelt ones resemble."""


def validate(model: type[M], document: Document) -> Checked[M]:
    """Check `document` against `model`."""
    data = deepcopy(document.data)
    faults: list[Fault] = []
    replaced: set[Path] = set()
    while True:
        try:
            config = model.model_validate(data)
        except ValidationError as error:
            before, removed = frozenset(replaced), set[Path]()
            for path, fault in _read(model, data, error).items():
                if fault is not None:
                    replaced |= {path, *_meant_path(model, path)}
                    faults += [] if _follows(path, before) else [fault]
                if any(path[: len(part)] == part for part in removed):
                    continue
                if fault is None:
                    _leave_empty(model, data, path)
                else:
                    removed.add(_take_out(data, path))
            replaced |= removed
            if () in removed:
                return Checked(None, tuple(faults), frozenset(replaced))
        else:
            return Checked(config, (*faults, *_true_numbers(config, data, ())), frozenset(replaced))


def touches(path: Path, other: Path) -> bool:
    """Whether one of two paths leads to the other."""
    length = min(len(path), len(other))
    return path[:length] == other[:length]


def _take_out(data: Any, path: Path) -> Path:
    """Removes the smallest part that holds the fault at `path`: a key, the section that lacks it, or a whole list.

    Returns the path of what was removed; () if nothing can be.
    """
    path = _existing(data, path)
    index = next((index for index, part in enumerate(path) if isinstance(part, int)), len(path))
    if path := path[:index]:
        del get(data, path[:-1])[path[-1]]
    return path


def _leave_empty(model: type[BaseModel], data: Any, path: Path) -> None:
    """Removes a null section, so that its default holds; one without a default becomes an empty section."""
    parent, key = get(data, path[:-1]), path[-1]
    fields = [section.model_fields.get(str(key)) for section in sections_at(model, path[:-1])]
    if isinstance(parent, dict) and not any(field.is_required() for field in fields if field):
        del parent[key]
    else:
        parent[key] = {}


def _existing(data: Any, path: Path) -> Path:
    """The longest part of `path` that is there."""
    for end in range(len(path)):
        try:
            data = data[path[end]]
        except (KeyError, IndexError, TypeError):
            return path[:end]
    return path


def _meant_path(model: type[BaseModel], path: Path) -> list[Path]:
    near = meant(model, path) if path and path[-1] not in keys_at(model, path[:-1]) else None
    return [] if near is None else [(*path[:-1], near)]


def _follows(path: Path, replaced: Collection[Path]) -> bool:
    """Whether a fault may only come from a part that was taken out: it is about that, its parent or its siblings."""
    return any(touches(path, other) or (len(other) > 1 and path[:-1] == other[:-1]) for other in replaced)


@dataclass(frozen=True)
class _Problem:
    """One of pydantic's errors."""

    path: Path
    kind: str
    value: Any
    context: Mapping[str, Any]
    text: str
    member: str | int | None
    """Which member of a union at `path[:depth]` complains."""
    depth: int


def _read(model: type[BaseModel], data: Any, error: ValidationError) -> dict[Path, Fault | None]:
    """Pydantic's errors as faults by their path; None for a null section, which counts as left out."""
    found: dict[Path, Fault | None] = {}
    problems = _merge_unions([_locate(model, data, item) for item in error.errors(include_url=False)])
    misspelt = {path for problem in problems for path in _meant_path(model, problem.path)}
    for problem in problems:
        path = problem.path
        if problem.kind == "missing" and path in misspelt:
            continue
        null = problem.value is None and is_mismatch(problem.kind) and _existing(data, path) == path
        if null and sections_at(model, path):
            found.setdefault(path, None)
        else:
            found.setdefault(path, Fault(path, _message(model, problem)))
    return found


def _locate(model: type[BaseModel], data: Any, item: Any) -> _Problem:
    """The path in the document, which is pydantic's location without the names of members of unions."""
    node: Any = data
    path: Path = ()
    member: str | int | None = None
    depth = 0
    for index, part in enumerate(item["loc"]):
        last = index == len(item["loc"]) - 1
        if _existing(node, (part,)):
            node, path = node[part], (*path, part)
        elif (item["type"] == "missing" and last) or part in keys_at(model, path):
            node, path = None, (*path, part)
        elif member is None:
            member, depth = part, len(path)
    return _Problem(path, item["type"], item["input"], item.get("ctx") or {}, item["msg"], member, depth)


def _merge_unions(problems: list[_Problem]) -> list[_Problem]:
    """A value that fits no member of a union fails once for each: keep what the likeliest member says."""
    kept = [problem for problem in problems if problem.member is None]
    unions: dict[Path, dict[str | int, list[_Problem]]] = {}
    for problem in problems:
        if problem.member is not None:
            members = unions.setdefault(problem.path[: problem.depth], {})
            members.setdefault(problem.member, []).append(problem)
    for path, members in unions.items():
        every = [problem for found in members.values() for problem in found]
        # Members that accepted the type of the value, and complain about what is in it.
        inside = {problem.member for problem in every if len(problem.path) > len(path) or not is_mismatch(problem.kind)}
        if inside or len(members) == 1:
            kept += min((found for name, found in members.items() if not inside or name in inside), key=len)
            continue
        text = mismatch(every[0].value, [(problem.kind, problem.context) for problem in every])
        kept.append(_Problem(path, "value_error", every[0].value, {"error": text}, text, None, 0))
    return kept


def _message(model: type[BaseModel], problem: _Problem) -> str:
    path = problem.path
    if problem.kind == "extra_forbidden":
        return _unknown_key(model, path)
    message = explain(problem.kind, problem.value, problem.context, problem.text)
    if is_mismatch(problem.kind) and sections_at(model, path):
        message += f"; its keys are {', '.join(keys_at(model, path))}"
    return message


def _unknown_key(model: type[BaseModel], path: Path) -> str:
    known, places = keys_at(model, path[:-1]), elsewhere(model, path)
    if path[-1] in places:
        return f"unknown key here; {path[-1]} is a top-level key"
    if places:
        return f"unknown key here; did you mean {' or '.join(places)}?"
    return f"unknown key{did_you_mean(path[-1], known) or '; known here: ' + ', '.join(known)}"


def _true_numbers(config: Any, data: Any, path: Path) -> list[Fault]:
    """`true` where a number is expected: pydantic takes it for 1."""
    if isinstance(data, bool):
        wrong = isinstance(config, (int, float)) and not isinstance(config, bool)
        return [Fault(path, f"{show(data)} is not a number")] if wrong else []
    if isinstance(data, dict) and isinstance(config, BaseModel):
        pairs = [(key, getattr(config, key, None), value) for key, value in data.items()]
    elif isinstance(data, list) and isinstance(config, (list, tuple)):
        pairs = list(zip(range(len(data)), config, data, strict=False))
    else:
        return []
    return [fault for key, value, raw in pairs for fault in _true_numbers(value, raw, (*path, key))]
