"""docs/config.md: every key of the config with its type, default and meaning, made from the JSON Schema.

`python -m audiosurvey.config.manual.manual` rewrites docs/config.md in the working directory.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from audiosurvey.config.manual.flow import flow
from audiosurvey.config.manual.manual_parts import DEPARTURES, HEAD
from audiosurvey.config.manual.schema import make_schema

PLACE = Path("docs") / "config.md"
_TYPES = {
    "integer": "integer",
    "number": "number",
    "boolean": "true, false",
    "string": "string",
    "null": "null",
}
_LIMITS = (
    ("minimum", "≥ {}"),
    ("exclusiveMinimum", "> {}"),
    ("maximum", "≤ {}"),
    ("exclusiveMaximum", "< {}"),
)
_TABLE = "| key | type | default | description |\n|---|---|---|---|\n"
Node = dict[str, Any]


def make_manual() -> str:
    """The whole text of docs/config.md."""
    manual = _Manual(make_schema())
    return "\n".join([HEAD, *manual.sections(), DEPARTURES])


class _Manual:
    def __init__(self, schema: Node) -> None:
        self.root = schema
        self.defs: dict[str, Node] = schema["$defs"]
        self.told: dict[int, str] = {}
        """Sections that have their table, and the path where it stands."""

    def sections(self) -> Iterator[str]:
        yield "## Top-level keys\n\n" + self.table(self.root, "")
        for name, node in self.root["properties"].items():
            if section := self.section_of(node):
                yield from self.section(name, section, str(node.get("description", "")), 2)

    def section(self, path: str, section: Node, words: str, depth: int) -> Iterator[str]:
        title = f"{'#' * depth} `{path}`\n\n"
        first = self.told.setdefault(id(section), path)
        if first != path:
            yield f"{title}{words} The keys are those of {_link(first)}.\n"
            return
        yield f"{title}{_both(words, section.get('description', ''))}\n\n{self.table(section, path)}"
        for key, node in section["properties"].items():
            if inner := self.section_of(node):
                yield from self.section(f"{path}.{key}", inner, str(node.get("description", "")), depth + 1)
            elif items := self.items_of(node):
                yield self.blocks(f"{path}.{key}", items, depth + 1)

    def table(self, section: Node, path: str) -> str:
        return _TABLE + "".join(self.row(key, node, path) for key, node in section["properties"].items())

    def row(self, key: str, node: Node, path: str) -> str:
        inner = self.section_of(node)
        words = str(node.get("description") or (inner or {}).get("description", ""))
        if inner:
            kind, default = _link(f"{path}.{key}" if path else key, "section"), ""
            kind = (
                f"path or {kind}" if any(option.get("format") == "path" for option in node.get("anyOf", [])) else kind
            )
        else:
            kind = self.kind(node)
            default = f"`{flow(node['default'])}`" if "default" in node else "required"
        return f"| `{key}` | {_cell(kind)} | {_cell(default)} | {_cell(words)} |\n"

    def blocks(self, path: str, items: list[Node], depth: int) -> str:
        """The menu of a list whose items are sections of one key."""
        parts = [f"{'#' * depth} `{path}`: the items\n", "| key | value | description |\n|---|---|---|"]
        further: list[str] = []
        for item in items:
            block = self.follow(item)
            ((key, node),) = block["properties"].items()
            inner = self.section_of(node)
            words = " ".join(filter(None, (block.get("description"), node.get("description"))))
            parts.append(f"| `{key}` | {_cell('a section, below' if inner else self.kind(node))} | {_cell(words)} |")
            if inner:
                title = f"\n{'#' * (depth + 1)} `{key}`\n\n{inner.get('description', '')}\n\n"
                further.append(title + self.table(inner, f"{path}.{key}").rstrip())
        return "\n".join([*parts, *further]) + "\n"

    def section_of(self, node: Node) -> Node | None:
        """The section that stands at this key, if it is one (or one that may be left empty, or a path in its place)."""
        options = [self.follow(option) for option in node.get("anyOf", [node])]
        sections = [option for option in options if "properties" in option]
        others = [option for option in options if option.get("type") != "null" and option not in sections]
        others = [option for option in others if option.get("format") != "path"]
        return sections[0] if len(sections) == 1 and not others else None

    def items_of(self, node: Node) -> list[Node]:
        for option in node.get("anyOf", [node]):
            items = option.get("items", {}).get("anyOf", [])
            if items and all("properties" in self.follow(item) for item in items):
                return items
        return []

    def follow(self, node: Node) -> Node:
        return self.defs[node["$ref"].rsplit("/", 1)[-1]] if "$ref" in node else node

    def kind(self, node: Node) -> str:
        """The type of a value in a few words, with its limits."""
        node = self.follow(node)
        if "anyOf" in node:
            return " or ".join(dict.fromkeys(self.kind(option) for option in node["anyOf"]))
        if "enum" in node:
            return ", ".join(f"`{flow(choice)}`" for choice in node["enum"])
        if "const" in node:
            return f"`{flow(node['const'])}`"
        if node.get("type") == "array":
            if "prefixItems" in node:
                kinds = [self.kind(item) for item in node["prefixItems"]]
                if len(set(kinds)) == 1:
                    return f"list of {len(kinds)}: {kinds[0]}"
                return "[" + "; ".join(kinds) + "]"
            items = node.get("items", {})
            return "list of blocks" if self.items_of(node) else f"list of {self.kind(items)}" if items else "list"
        if "properties" in node:
            return "{" + ", ".join(f"{key}: {self.kind(item)}" for key, item in node["properties"].items()) + "}"
        if node.get("type") == "object":
            return "mapping"
        if node.get("format") == "path":
            return "path"
        if "minimum" in node and "maximum" in node:
            return f"{_TYPES[node['type']]}, {flow(node['minimum'])} to {flow(node['maximum'])}"
        limits = [words.format(flow(node[key])) for key, words in _LIMITS if key in node]
        return " ".join([_TYPES.get(str(node.get("type")), "any"), ", ".join(limits)]).strip()


def _both(words: str, own: str) -> str:
    """What is said of a key and of its section, without saying the same twice."""
    if words.split()[:2] == own.split()[:2]:
        return max(words, own, key=len)
    return f"{words} {own}".strip()


def _link(path: str, text: str | None = None) -> str:
    return f"[{text or f'`{path}`'}](#{path.replace('.', '')})"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    PLACE.write_text(make_manual(), encoding="utf-8", newline="\n")
