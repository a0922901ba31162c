"""The shipped schema and manual are what the classes say, and both know every key."""

import re
from pathlib import Path
from typing import Any

import pytest

from audiosurvey.config.manual.manual import PLACE, make_manual
from audiosurvey.config.manual.schema import make_schema, schema_text
from audiosurvey.config.manual.shipped import shipped_schema
from audiosurvey.config.presets import preset_names, preset_text
from audiosurvey.config.reading.document import read
from audiosurvey.config.reading.keys import all_paths
from audiosurvey.config.root import Config

REPOSITORY = Path(__file__).resolve().parents[3]


def test_the_shipped_schema_is_up_to_date() -> None:
    assert shipped_schema() == schema_text(), "run python -m audiosurvey.config.manual.schema"


def test_the_manual_is_up_to_date() -> None:
    written = (REPOSITORY / PLACE).read_text(encoding="utf-8")
    assert written == make_manual(), "run python -m audiosurvey.config.manual.manual"


def test_every_key_has_a_description() -> None:
    schema = make_schema()
    sections = {"(top)": schema, **schema["$defs"]}
    bare = [
        f"{name}.{key}"
        for name, section in sections.items()
        for key, node in section.get("properties", {}).items()
        if not described(schema, node) and not section.get("description")
    ]
    assert bare == []


def test_every_preset_that_the_docs_name_is_there() -> None:
    pages = [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/*.md"), *REPOSITORY.glob("results/*.md")]
    commands = "check|describe|prepare|preview|train"
    patterns = (
        r"\bpreset: ([a-z][\w-]*)",
        r"--preset ([a-z][\w-]*)",
        rf"audiosurvey (?:{commands}) ([a-z][\w-]*)(?=[\s`])",
    )
    named = {name for page in pages for pattern in patterns for name in re.findall(pattern, page.read_text("utf-8"))}
    assert len(named) > 3
    assert named <= set(preset_names())


def described(schema: dict[str, Any], node: dict[str, Any]) -> bool:
    options = [node, *node.get("anyOf", [])]
    names = [option["$ref"].rsplit("/", 1)[-1] for option in options if "$ref" in option]
    return any(each.get("description") for each in [node, *(schema["$defs"][name] for name in names)])


def test_the_manual_names_every_key() -> None:
    text = make_manual()
    keys = {path[-1] for path in all_paths(Config, ())}
    assert [key for key in keys if f"`{key}`" not in text and f"{{{key}: " not in text] == []
    for block in ("res", "max_pool", "drop", "swiglu", "Deliberate departures", "--set"):
        assert block in text


@pytest.mark.parametrize("name", preset_names())
def test_the_schema_accepts_what_the_classes_accept(name: str) -> None:
    schema = make_schema()
    assert problems(schema, schema, read(preset_text(name), name).data) == []


@pytest.mark.parametrize(
    "text",
    [
        "sead: 1",
        "augmentation: {noise: {min_snr: 1}}",
        "train: {lr: x}",
        "precision: bf61",
        "model: {blocks: [rez: [1, 2]]}",
    ],
)
def test_the_schema_refuses_what_the_classes_refuse(text: str) -> None:
    schema = make_schema()
    assert problems(schema, schema, read(text, "x").data) != []


def test_sections_may_be_left_empty() -> None:
    schema = make_schema()
    assert problems(schema, schema, read("augmentation:\ntrain:\n", "x").data) == []


def problems(root: dict[str, Any], node: dict[str, Any], value: Any, path: str = "") -> list[str]:
    """A checker for the part of JSON Schema that ours uses."""
    if "$ref" in node:
        return problems(root, root["$defs"][node["$ref"].rsplit("/", 1)[-1]], value, path)
    if "anyOf" in node:
        found = [problems(root, option, value, path) for option in node["anyOf"]]
        return [] if any(not each for each in found) else min(found, key=len)
    if "enum" in node:
        return [] if value in node["enum"] else [f"{path}: {value!r}"]
    kinds: dict[str, Any] = {
        "object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool,
        "null": type(None),
    }  # fmt: skip
    if "type" in node and not isinstance(value, kinds[node["type"]]):
        return [f"{path}: {value!r} is no {node['type']}"]
    if isinstance(value, dict) and "properties" in node:
        own = node["properties"]
        unknown = [f"{path}.{key}" for key in value if key not in own]
        missing = [f"{path}.{key} missing" for key in node.get("required", []) if key not in value]
        inner = [p for key in value if key in own for p in problems(root, own[key], value[key], f"{path}.{key}")]
        return unknown + missing + inner
    if isinstance(value, list):
        each = node.get("prefixItems") or [node.get("items", {})] * len(value)
        return [p for sub, item in zip(each, value, strict=False) for p in problems(root, sub, item, f"{path}[]")]
    return []
