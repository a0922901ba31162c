"""The JSON Schema of the config: what editors complete and check the YAML with, and what the manual is made
from.

`python -m audiosurvey.config.manual.schema` rewrites schema.json, which ships with the package.
"""

import json
from pathlib import Path
from typing import Any

from audiosurvey.config.root import Config

SHIPPED = Path(__file__).with_name("schema.json")


def make_schema() -> dict[str, Any]:
    """The schema, made from the config classes: draft 2020-12, descriptions included."""
    schema = tidy(Config.model_json_schema())
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "audiosurvey config"}
    return {**head, **{key: value for key, value in schema.items() if key not in head}}


def schema_text() -> str:
    """The schema as shipped: indented, with a final newline."""
    return json.dumps(make_schema(), indent=2, ensure_ascii=False) + "\n"


def tidy(node: Any) -> Any:
    """Descriptions on one line, and none of the titles that only repeat a key."""
    if isinstance(node, list):
        return [tidy(item) for item in node]
    if not isinstance(node, dict):
        return node
    found: dict[str, Any] = {}
    for key, value in node.items():
        if key == "title" and isinstance(value, str):
            continue
        if key == "$defs":
            found[key] = {name: tidy(item) for name, item in value.items()}
        elif key == "properties":
            found[key] = {name: _or_left_empty(tidy(item)) for name, item in value.items()}
        elif key == "description" and isinstance(value, str):
            found[key] = " ".join(value.split())
        else:
            found[key] = tidy(value)
    return found


def _or_left_empty(value: dict[str, Any]) -> dict[str, Any]:
    """A section whose keys are all commented out is `null` to YAML, and stands for its defaults.

    Those are told at the section's own keys, not once more where it is used.
    """
    if "$ref" not in value:
        return value
    rest = {key: item for key, item in value.items() if key not in ("$ref", "default")}
    return {**rest, "anyOf": [{"$ref": value["$ref"]}, {"type": "null"}]}


if __name__ == "__main__":
    SHIPPED.write_text(schema_text(), encoding="utf-8", newline="\n")
