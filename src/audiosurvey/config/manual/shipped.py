"""The JSON Schema that ships with the package, and what it says about a key; no config class is loaded for it."""

import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any


def shipped_schema() -> str:
    """The schema as text."""
    return files("audiosurvey.config.manual").joinpath("schema.json").read_text(encoding="utf-8")


def description_of(path: tuple[str, ...]) -> str:
    """The description of a key, or of the section that it holds; empty if there is none."""
    schema = _schema()
    nodes = [schema]
    for key in path:
        nodes = [each["properties"][key] for node in nodes for each in _options(node) if key in each["properties"]]
    own = [node["description"] for node in nodes if "description" in node]
    of_section = [each["description"] for node in nodes for each in _options(node) if "description" in each]
    return next(iter([*own, *of_section]), "")


def _options(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The sections that a node of the schema may be."""
    if "$ref" in node:
        yield from _options(_schema()["$defs"][node["$ref"].rsplit("/", 1)[-1]])
    elif "properties" in node:
        yield node
    for each in node.get("anyOf", []):
        yield from _options(each)


@cache
def _schema() -> dict[str, Any]:
    return json.loads(shipped_schema())
