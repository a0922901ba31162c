"""A YAML file as plain data that remembers where each key was written.

In: the text of a config (UTF-8, a byte order mark allowed; UTF-16 with its mark too, as Windows editors
write it). Out: a `Document`: nested dicts and lists, and for every path the line it stands on. Syntax
errors raise a located `UserError`; keys given twice are collected as faults, to be reported with all
others.

The scalars follow YAML 1.2 where 1.1 surprises (`no` is text, `1:30` is text, `010` is ten), keep the
underscores of 1.1 (`30_000`), and read `1e-3` as the number that everybody means.
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
"""Where a value was given: a line of the file, or the KEY of the `--set` that put it there."""

_MOST_NODES = 100_000
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
"""YAML type: the plain scalars that are of it, and the characters they begin with."""


class _Loader(yaml.SafeLoader):
    """PyYAML's safe reader with the scalars above instead of its own."""


def resolver(kind: str) -> tuple[str, re.Pattern[str], list[str]]:
    """Tag, pattern and first characters of a type of scalars, as PyYAML's `add_implicit_resolver` takes
    them."""
    pattern, first = SCALARS[kind]
    return _TAG + kind, re.compile(f"(?:{pattern})$"), first


_Loader.yaml_implicit_resolvers = {}
for _kind in SCALARS:
    _Loader.add_implicit_resolver(*resolver(_kind))


@dataclass
class Document:
    """A config as it was given: the data, where each part of it stands, and what was wrong with the
    text itself."""

    name: str
    """The file as the user typed it, or the preset's name."""
    data: dict[str, Any] = field(default_factory=dict)
    places: dict[Path, Place] = field(default_factory=dict)
    faults: list[tuple[Place, Fault]] = field(default_factory=list)
    overrides: list[str] = field(default_factory=list)
    """The keys of `--set`, in the order given."""

    def place(self, path: Path) -> Place:
        """Where `path` was given, or the nearest section above it that was (the first line, at last)."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.places:
                return self.places[path[:end]]
        return 1

    def put(self, path: Path, value: Any, place: Place) -> None:
        """Set an existing parent's `path` to `value`; everything under it now comes from `place`."""
        parent = get(self.data, path[:-1])
        parent[path[-1]] = deepcopy(value)
        self.places = {known: at for known, at in self.places.items() if known[: len(path)] != path}
        self.places[path] = place

    def copy(self) -> "Document":
        return deepcopy(self)


def get(data: Any, path: Path) -> Any:
    """The value at `path`; KeyError, IndexError or TypeError where there is none."""
    for part in path:
        data = data[part]
    return data


def read(text: str | bytes, name: str) -> Document:
    """Parse one YAML document whose root is a mapping. An empty file is an empty mapping."""
    document = Document(name)
    node = _compose(_decode(text, name), name)
    if node is None or (isinstance(node, ScalarNode) and node.tag == _TAG + "null"):
        return document
    if not isinstance(node, MappingNode):
        raise UserError(
            f"{name}:{_line(node)}: a config is a mapping of keys to values (`sample_rate: 32000`), "
            f"this is {'a list' if isinstance(node, SequenceNode) else 'a single value'}"
        )
    try:
        document.data = _Builder(document).value(node, ())
    except RecursionError:
        raise UserError(f"{name}:1: nested too deeply to be a config") from None
    return document


def read_value(text: str) -> Any:
    """The value of one piece of YAML, as `--set KEY=VALUE` takes it. Raises UserError with the bare
    message."""
    name = "\0value"
    try:
        node = _compose(text, name)
        if node is None:
            return None
        document = Document(name)
        value = _Builder(document).value(node, ())
    except RecursionError:
        raise UserError("nested too deeply to be a config") from None
    except UserError as error:
        # One line is given, so its number says nothing.
        raise UserError(re.sub(f"^{name}:[0-9]+: ", "", error.lines[0])) from None
    for _place, fault in document.faults:
        raise UserError(f"{fault.dotted}: {fault.message}")
    return value


def _decode(text: str | bytes, name: str) -> str:
    if isinstance(text, str):
        return text.removeprefix("\ufeff")
    marked = text[:2] in (b"\xff\xfe", b"\xfe\xff")
    if b"\0" in text and not marked:
        raise UserError(f"{name}: is not text (UTF-8) but binary data; a config is a YAML file")
    encoding = "utf-16" if marked else "utf-8-sig"
    try:
        return text.decode(encoding)
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
        raise UserError(f"{name}:{mark.line + 1 if mark else 1}: not YAML: {_explain(error, text)}") from None
    except RecursionError:
        raise UserError(f"{name}:1: nested too deeply to be a config") from None


def _explain(error: yaml.MarkedYAMLError, text: str) -> str:
    """A parser's complaint in the words of somebody who writes configs."""
    problem = " ".join((error.problem or error.context or "cannot be read").split())
    if "\\t" in problem:
        return "a tab is used for indentation; use spaces"
    mark = error.problem_mark
    lines = text.splitlines()
    if mark and mark.line < len(lines) and "\t" in re.match(r"\s*", lines[mark.line])[0]:  # type: ignore[index]
        return "a tab is used for indentation; use spaces"
    if "another document" in problem:
        return "more than one document; a config is a single one (remove the `---`)"
    if "mapping values are not allowed" in problem:
        return "a second `key:` where a value was expected; look at the indentation, or put the value in quotes"
    if error.context == "while parsing a block mapping" and "<block end>" in problem:
        return "the indentation does not agree with the lines above"
    if "could not find expected ':'" in problem:
        return "a key without its colon; write `key: value`"
    if error.context and "flow" in error.context:
        opened = f" opened in line {error.context_mark.line + 1}" if error.context_mark else ""
        bracket = "[ ]" if "sequence" in error.context else "{ }"
        return f"a comma or the closing bracket is missing in the {bracket}{opened}"
    return f"{problem} {error.context}" if error.context and error.context != problem else problem


class _Builder:
    """Turns YAML nodes into data, noting the line of every key and list item on the way."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.open: set[int] = set()
        self.count = 0

    def value(self, node: Node, path: Path) -> Any:
        self.count += 1
        if self.count > _MOST_NODES:
            raise UserError(
                f"{self.document.name}:{_line(node)}: more than {_MOST_NODES} values: aliases multiply them"
            )
        if isinstance(node, ScalarNode):
            return self._scalar(node)
        if id(node) in self.open:
            raise UserError(f"{self.document.name}:{_line(node)}: an alias that contains itself")
        self.open.add(id(node))
        try:
            if isinstance(node, MappingNode):
                return self._mapping(node, path)
            return self._sequence(node, path)
        finally:
            self.open.discard(id(node))

    def _sequence(self, node: Node, path: Path) -> list[Any]:
        items = []
        for index, item in enumerate(node.value):
            here = (*path, index)
            self.document.places[here] = _line(item)
            items.append(self.value(item, here))
        return items

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _TAG + "merge":
                continue
            key, line = self._key(key_node, path), _line(key_node)
            here = (*path, key)
            if key in data:
                first = self.document.places[here]
                self.document.faults.append((line, Fault(here, f"given twice, first in line {first}; keep one")))
                continue
            self.document.places[here] = line
            data[key] = self.value(value_node, here)
        for merged in self._merged(node):
            for key_node, value_node in merged.value:
                key = self._key(key_node, path)
                if key not in data:
                    self.document.places[(*path, key)] = _line(key_node)
                    data[key] = self.value(value_node, (*path, key))
        return data

    def _merged(self, node: MappingNode) -> Iterator[MappingNode]:
        """The mappings that `<<: *name` brings in; the mapping's own keys win, then the earlier ones."""
        for key_node, value_node in node.value:
            if key_node.tag == _TAG + "merge":
                for merged in value_node.value if isinstance(value_node, SequenceNode) else [value_node]:
                    if not isinstance(merged, MappingNode):
                        raise UserError(f"{self.document.name}:{_line(key_node)}: `<<` takes a mapping")
                    if id(merged) in self.open:
                        raise UserError(f"{self.document.name}:{_line(key_node)}: an alias that contains itself")
                    self.open.add(id(merged))
                    yield MappingNode(merged.tag, [kv for kv in merged.value if kv[0].tag != _TAG + "merge"])
                    yield from self._merged(merged)
                    self.open.discard(id(merged))

    def _key(self, node: Node, path: Path) -> str:
        if not isinstance(node, ScalarNode):
            raise UserError(f"{self.document.name}:{_line(node)}: a key must be a word, not a list or a mapping")
        if not node.value:
            raise UserError(f"{self.document.name}:{_line(node)}: a key is missing before the colon")
        return node.value

    def _scalar(self, node: ScalarNode) -> Any:
        text = node.value
        plain = text.replace("_", "")
        kind = node.tag.removeprefix(_TAG)
        try:
            match kind:
                case "null":
                    return None
                case "bool":
                    return {"true": True, "false": False}[text.lower()]
                case "int":
                    return int(plain, 16) if plain[:2] == "0x" else int(plain)
                case "float":
                    return float(re.sub(r"\.(?=inf|nan)", "", plain.lower()))
                case "str" | "merge":
                    return text
        except (ValueError, KeyError):
            raise UserError(f"{self.document.name}:{_line(node)}: {text!r} is not of the type {kind}") from None
        raise UserError(f"{self.document.name}:{_line(node)}: the tag {node.tag!r} is not used in configs")


def _line(node: Node) -> int:
    return node.start_mark.line + 1 if node.start_mark else 1
