"""Reads a YAML file into plain data, and records the line of every key.

Input: UTF-8 text, with or without a byte order mark, or UTF-16 with one (Windows editors). Output: a `Document`.
Syntax errors raise a located `UserError`; duplicate keys are collected as faults and reported with all others.

Scalars follow YAML 1.2 where 1.1 surprises (`no` and `1:30` are text, `010` is ten), except that underscores in numbers
are allowed (`30_000`) and `1e-3` is a number.
"""

import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from audiosurvey.errors import Fault, UserError

Path = tuple[str | int, ...]
Place = int | str
"""Where a value was given: a line of the file, or the KEY of a `--set`."""

_MOST_NODES = 100_000
_TOO_DEEP = "nested too deeply, or an alias that contains itself"
_TAG = "tag:yaml.org,2002:"
SCALARS: dict[str, tuple[str, list[str]]] = {
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    "int": (r"[-+]?[0-9][0-9_]*|0x[0-9a-fA-F_]+", list("-+0123456789")),
    "float": (
        r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*|[0-9][0-9_]*(?=[eE]))(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
    "merge": (r"<<", ["<"]),
}
"""YAML type: the pattern of its plain scalars, and the characters that they begin with."""


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the scalars above."""


def resolver(kind: str) -> tuple[str, re.Pattern[str], list[str]]:
    """The arguments of PyYAML's `add_implicit_resolver` for one type of scalars."""
    pattern, first = SCALARS[kind]
    return _TAG + kind, re.compile(f"(?:{pattern})$"), first


_Loader.yaml_implicit_resolvers = {}
for _kind in SCALARS:
    _Loader.add_implicit_resolver(*resolver(_kind))


@dataclass
class Document:
    """A config as it was given: its data, the place of every part, and faults of the text itself."""

    name: str
    """The file as the user typed it, or the preset's name."""
    data: dict[str, Any] = field(default_factory=dict)
    places: dict[Path, Place] = field(default_factory=dict)
    faults: list[tuple[Place, Fault]] = field(default_factory=list)
    overrides: list[str] = field(default_factory=list)
    """The keys of `--set`, in the order given."""
    override_word: str = "--set"
    """What stands before these keys in messages."""
    has_lines: bool = True
    """Whether it was read from text, so that faults have lines."""

    def place(self, path: Path) -> Place:
        """Where `path` was given, or else the nearest section above it; line 1 if neither was."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.places:
                return self.places[path[:end]]
        return 1

    def put(self, path: Path, value: Any, place: Place) -> None:
        """Set `path`, whose parent exists, to `value`; everything under it is then located at `place`."""
        parent = get(self.data, path[:-1])
        parent[path[-1]] = deepcopy(value)
        self.places = {known: at for known, at in self.places.items() if known[: len(path)] != path}
        self.places[path] = place


def get(data: Any, path: Path) -> Any:
    """The value at `path`; KeyError, IndexError or TypeError where there is none."""
    for part in path:
        data = data[part]
    return data


def read(text: str | bytes, name: str, *, kind: str = "config", example: str = "sample_rate: 32000") -> Document:
    """Parse one YAML document whose root is a mapping. An empty file is an empty mapping. `kind` and `example`: what
    the file should be, for messages."""
    document = Document(name)
    node = _compose(decode(text, name, kind), name)
    if node is None or (isinstance(node, ScalarNode) and node.tag == _TAG + "null"):
        return document
    if not isinstance(node, MappingNode):
        found = "a list" if isinstance(node, SequenceNode) else "a single value"
        raise UserError(
            f"{name}:{_line(node)}: a {kind} is a mapping of keys to values (`{example}`), but this is {found}"
        )
    document.data = _build(document, node)
    return document


def read_value(text: str) -> Any:
    """The value of `--set KEY=VALUE`, as YAML. Raises UserError without a place."""
    document = Document("")
    try:
        node = _compose(text, "")
        value = None if node is None else _build(document, node)
    except UserError as error:
        raise UserError(re.sub("^:[0-9]+: ", "", error.lines[0])) from None
    for _place, fault in document.faults:
        raise UserError(f"{fault.dotted}: {fault.message}")
    return value


def decode(text: str | bytes, name: str, kind: str) -> str:
    """The text of a file in UTF-8, or in UTF-16 with a byte order mark. Raises UserError for other content."""
    if isinstance(text, str):
        return text.removeprefix("\ufeff")
    marked = text[:2] in (b"\xff\xfe", b"\xfe\xff")
    if b"\0" in text and not marked:
        raise UserError(f"{name}: is not text (UTF-8) but binary data; a {kind} is a YAML file")
    try:
        return text.decode("utf-16" if marked else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise UserError(f"{name}:{line}: not UTF-8 text (byte 0x{text[error.start]:02x}); save it as UTF-8") from None


def _compose(text: str, name: str) -> Node | None:
    try:
        loader = _Loader(text)
        try:
            return loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise UserError(f"{name}:{line}: not text: the character #x{error.character:04x} is not allowed") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line if mark else 0
        raise UserError(f"{name}:{line + 1}: not YAML: {_problem(error, text.splitlines()[line:])}") from None
    except RecursionError:
        raise UserError(f"{name}:1: {_TOO_DEEP}") from None


def _problem(error: yaml.MarkedYAMLError, rest: list[str]) -> str:
    """PyYAML's message on one line; `rest`: the text from the line of the error on."""
    if rest and "\t" in rest[0][: len(rest[0]) - len(rest[0].lstrip())]:
        return "a tab is used for indentation; use spaces"
    words = error.problem or ""
    if "double-quoted" in (error.context or "") and "escape" in words:
        return "a backslash in double quotes begins an escape; write paths in single quotes, or with / ('C:/sounds')"
    if error.context:
        begins = f" (line {error.context_mark.line + 1})" if error.context_mark else ""
        words = f"{error.context}{begins}: {words}"
    return " ".join(words.split()) + "; check indentation, quotes and brackets"


def _build(document: Document, node: Node) -> Any:
    try:
        return _Builder(document).value(node, ())
    except RecursionError:
        raise UserError(f"{document.name}:1: {_TOO_DEEP}") from None


class _Builder:
    """Turns YAML nodes into data, and records the line of every key and list item."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.count = 0

    def value(self, node: Node, path: Path) -> Any:
        self.count += 1
        if self.count > _MOST_NODES:
            raise self.error(node, f"more than {_MOST_NODES} values: aliases multiply them")
        if isinstance(node, ScalarNode):
            return self._scalar(node)
        return self._mapping(node, path) if isinstance(node, MappingNode) else self._sequence(node, path)

    def error(self, node: Node, message: str) -> UserError:
        return UserError(f"{self.document.name}:{_line(node)}: {message}")

    def _sequence(self, node: Node, path: Path) -> list[Any]:
        for index, item in enumerate(node.value):
            self.document.places[*path, index] = _line(item)
        return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key, key_node, value_node in self._own(node):
            here = (*path, key)
            if key in data:
                message = f"given twice, first on line {self.document.places[here]}; keep one"
                self.document.faults.append((_line(key_node), Fault(here, message)))
                continue
            self.document.places[here] = _line(key_node)
            data[key] = self.value(value_node, here)
        for key, key_node, value_node in self._merged(node):
            if key not in data:
                self.document.places[*path, key] = _line(key_node)
                data[key] = self.value(value_node, (*path, key))
        return data

    def _own(self, node: MappingNode) -> Iterator[tuple[str, Node, Node]]:
        """The keys of a mapping with their nodes, without those that `<<` merges."""
        for key_node, value_node in node.value:
            if key_node.tag == _TAG + "merge":
                continue
            if not isinstance(key_node, ScalarNode):
                raise self.error(key_node, "a key must be a word, not a list or a mapping")
            if not key_node.value:
                raise self.error(key_node, "a key is missing before the colon")
            yield key_node.value, key_node, value_node

    def _merged(self, node: MappingNode) -> Iterator[tuple[str, Node, Node]]:
        """The keys that `<<: *name` merges into a mapping; the first one of a name counts."""
        for key_node, value_node in node.value:
            if key_node.tag == _TAG + "merge":
                for merged in value_node.value if isinstance(value_node, SequenceNode) else [value_node]:
                    if not isinstance(merged, MappingNode):
                        raise self.error(key_node, "`<<` takes a mapping")
                    yield from self._own(merged)
                    yield from self._merged(merged)

    def _scalar(self, node: ScalarNode) -> Any:
        text, kind = node.value, node.tag.removeprefix(_TAG)
        plain = text.replace("_", "").lower()
        try:
            match kind:
                case "null":
                    return None
                case "bool":
                    return {"true": True, "false": False}[plain]
                case "int":
                    return int(plain, 16) if plain[:2] == "0x" else int(plain)
                case "float":
                    return float(re.sub(r"\.(?=inf|nan)", "", plain))
                case "str" | "merge":
                    return text
        except (ValueError, KeyError):
            raise self.error(node, f"{text!r} is not of the type {kind}") from None
        raise self.error(node, f"the tag {node.tag!r} is not used in configs")


def _line(node: Node) -> int:
    return node.start_mark.line + 1 if node.start_mark else 1
