"""Checking a document against a config class: the config, or everything that is wrong with it, at once.

After the first faults the faulty parts are taken out of a copy and the rest is checked again until it
holds, so that checks which need a whole config (does a mask fit into the clip?) can report in the same go.
"""

from collections.abc import Collection, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from audiosurvey.config.reading.document import Document, Path, get
from audiosurvey.config.reading.faults import did_you_mean, nearest
from audiosurvey.config.reading.known import all_keys, description_of, elsewhere, keys_at, sections_at
from audiosurvey.config.reading.repair import Repaired, existing, leave_empty, repair, touches
from audiosurvey.config.reading.wording import choices, explain, is_mismatch, mismatch, show
from audiosurvey.errors import Fault

M = TypeVar("M", bound=BaseModel)
_ROUNDS = 200


@dataclass(frozen=True)
class Checked(Generic[M]):
    """`config` is the document as a config, with faulty parts at their defaults; None where that cannot
    be."""

    config: M | None
    faults: tuple[Fault, ...]
    repaired: Repaired
    data: dict[str, Any]
    """The document's data as `config` was made from it, faulty parts replaced."""


def validate(model: type[M], document: Document, neutral: Mapping[str, Any] | None = None) -> Checked[M]:
    """Check `document` against `model`.

    `neutral` is a list item that changes nothing (`{"dropout": 0.0}`); a faulty item of a list of sections
    is replaced by it, so that the items after it keep their index and are checked too. Without it the list
    is cut.
    """
    data = deepcopy(document.data)
    faults: list[Fault] = []
    repaired = Repaired()
    for _ in range(_ROUNDS):
        try:
            config = model.model_validate(data)
        except ValidationError as error:
            before = frozenset(repaired.faulty)
            found = _read(model, data, error)
            faults += [fault for path, fault in found if fault and not _follows(path, before)]
            there = {path: existing(data, path) for path, _ in found}
            for path, fault in found:
                # An earlier repair may have taken out all that held this fault.
                if there[path] and existing(data, there[path]) != there[path]:
                    continue
                if fault is None:
                    leave_empty(model, data, path)
                elif not repair(model, data, path, repaired, neutral):
                    return Checked(None, tuple(faults), repaired, data)
        else:
            return Checked(config, (*faults, *_true_numbers(config, data, ())), repaired, data)
    return Checked(None, tuple(faults), repaired, data)


@dataclass(frozen=True)
class _Problem:
    path: Path
    kind: str
    value: Any
    context: Mapping[str, Any]
    text: str
    branch: tuple[Path, str | int] | None
    """Which member of a union complains, and where the union is."""


def _read(model: type[BaseModel], data: Any, error: ValidationError) -> list[tuple[Path, Fault | None]]:
    """Pydantic's errors as faults at paths of the document. A null section is no fault: it is one left
    out, of which only the keys that have no default can be missed."""
    found: dict[Path, Fault | None] = {}
    problems = _merge_unions([_locate(model, data, item) for item in error.errors(include_url=False)])
    for problem in _without_echoes(model, problems):
        null = problem.value is None and existing(data, problem.path) == problem.path
        if null and is_mismatch(problem.kind) and sections_at(model, problem.path):
            found.setdefault(problem.path, None)
            continue
        path, message = _word(model, data, problem)
        found.setdefault(path, Fault(path, message))
    return list(found.items())


def _locate(model: type[BaseModel], data: Any, item: Any) -> _Problem:
    """Walk the document as deep as pydantic's location goes, leaving out what only names a member of a
    union."""
    node: Any = data
    path: Path = ()
    branch: tuple[Path, str | int] | None = None
    for index, part in enumerate(item["loc"]):
        inside = (isinstance(node, dict) and part in node) or (
            isinstance(node, list) and isinstance(part, int) and part < len(node)
        )
        last = index == len(item["loc"]) - 1
        if inside:
            node, path = node[part], (*path, part)
        elif (item["type"] == "missing" and last) or part in keys_at(model, path):
            node, path = None, (*path, part)
        elif branch is None:
            branch = (path, part)
    return _Problem(path, item["type"], item["input"], item.get("ctx") or {}, item["msg"], branch)


def _merge_unions(problems: list[_Problem]) -> list[_Problem]:
    """A value that fits no member of a union fails once for each: keep what the likeliest member says."""
    unions: dict[Path, dict[str | int, list[_Problem]]] = {}
    for problem in problems:
        if problem.branch:
            unions.setdefault(problem.branch[0], {}).setdefault(problem.branch[1], []).append(problem)
    kept = [problem for problem in problems if not problem.branch or len(unions[problem.branch[0]]) == 1]
    for where, members in unions.items():
        if len(members) == 1:
            continue
        entered = [
            member
            for member in members.values()
            if any(len(problem.path) > len(where) or not is_mismatch(problem.kind) for problem in member)
        ]
        if entered:
            kept += min(entered, key=len)
            continue
        first = next(iter(members.values()))[0]
        text = mismatch(first.value, [(p.kind, p.context) for member in members.values() for p in member])
        kept.append(_Problem(where, "value_error", first.value, {"error": text}, text, None))
    return kept


def _without_echoes(model: type[BaseModel], problems: list[_Problem]) -> list[_Problem]:
    """A misspelt key that is needed fails twice, as unknown and as missing: the first says it all."""
    strays = [problem.path for problem in problems if problem.kind == "extra_forbidden"]
    meant = {(*path[:-1], nearest(path[-1], keys_at(model, path[:-1]))) for path in strays}
    blocks = {path[:-1] for path in strays if len(path) > 1 and isinstance(path[-2], int)}
    return [
        problem
        for problem in problems
        if problem.kind != "missing" or (problem.path not in meant and problem.path[:-1] not in blocks)
    ]


def _word(model: type[BaseModel], data: Any, problem: _Problem) -> tuple[Path, str]:
    path, value = problem.path, problem.value
    if problem.kind == "extra_forbidden":
        return path, _unknown_key(model, path)
    if problem.kind in ("union_tag_invalid", "union_tag_not_found"):
        return _no_such_member(model, problem)
    if problem.kind == "missing" and path and isinstance(path[-1], int):
        return path[:-1], _too_few(data, path[:-1], path[-1])
    if problem.kind == "too_long" and isinstance(value, (list, tuple)):
        return path, f"{show(value)} has {len(value)} values; expected {problem.context['max_length']}"
    message = explain(problem.kind, value, problem.context, problem.text)
    if sections_at(model, path) and is_mismatch(problem.kind):
        message += f"; its keys are {', '.join(keys_at(model, path))}"
    elif "out of range" in message and (words := description_of(model, path)):
        message += f" ({_first_sentence(words)})"
    return path, message


def _unknown_key(model: type[BaseModel], path: Path) -> str:
    known, key = keys_at(model, path[:-1]), str(path[-1])
    if (places := elsewhere(model, path)) and key not in places:
        return f"unknown key here; did you mean {' or '.join(places)}?"
    if near := did_you_mean(key, known):
        return f"unknown key{near}"
    if key.isdecimal():
        return "unknown key; a comma separates keys, a decimal takes a point"
    places = all_keys(model).get(key, [])
    if key in places:
        what = "is a section of its own at the top" if sections_at(model, (key,)) else "stands at the top"
        return f"unknown key here; {key} {what} of the config"
    if places:
        return f"unknown key here; did you mean {' or '.join(places[:3])}?"
    return f"unknown key; known here: {', '.join(known)}"


def _no_such_member(model: type[BaseModel], problem: _Problem) -> tuple[Path, str]:
    """An item of a list of one-key sections whose key is none of them, or that is no such section."""
    path, value = problem.path, problem.value
    field = str(problem.context.get("discriminator", "")).strip("'")
    known = choices(str(problem.context["expected_tags"])) if "expected_tags" in problem.context else []
    if isinstance(value, dict) and field in value:
        return (
            *path,
            field,
        ), f"{show(value[field])} is not one of {', '.join(known)}{did_you_mean(value[field], known)}"
    known = keys_at(model, path) or known
    if isinstance(value, dict) and len(value) == 1:
        key = next(iter(value))
        near = did_you_mean(key, known) or f"; known here: {', '.join(known)}"
        return (*path, key), f"unknown key{near}"
    if isinstance(value, dict):
        return path, f"expected one key and its value, got {len(value)} ({', '.join(value)})"
    expected = f"expected one of {', '.join(known)}{did_you_mean(value, known)}"
    return path, f"{show(value)} is not a key with its value; {expected}"


def _too_few(data: Any, path: Path, index: int) -> str:
    value = get(data, path)
    return f"{show(value)} has {len(value)} value{'s' if len(value) != 1 else ''}; more are expected"


def _first_sentence(text: str) -> str:
    first = " ".join(text.split()).split(". ")[0].split("; ")[0].rstrip(".")
    return first[:1].lower() + first[1:]


def _follows(path: Path, faulty: Collection[Path]) -> bool:
    """Whether a fault only comes from a part that was taken out before: it is about it, its parent or
    its siblings."""
    return any(
        touches(path, other) or (len(other) > 1 and len(path) == len(other) and path[:-1] == other[:-1])
        for other in faulty
    )


def _true_numbers(config: Any, data: Any, path: Path) -> list[Fault]:
    """`true` where a number is expected: Python would take it for 1."""
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
