"""Tables in memory within a config that is given as a mapping: each is replaced by the section that reads it."""

from collections.abc import Mapping
from typing import Any

from audiosurvey.data.sets.in_memory import is_table, table_section


def with_sections(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a config with sections in place of tables at `dataset`, `dataset.table` and `pretrain.dataset`."""
    found = dict(values)
    if "dataset" in found:
        found["dataset"] = _section(found["dataset"])
    pretrain = found.get("pretrain")
    if isinstance(pretrain, Mapping) and "dataset" in pretrain:
        found["pretrain"] = {**pretrain, "dataset": _section(pretrain["dataset"])}
    return found


def overrides_with_sections(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The same for overrides by dotted key."""
    found: dict[str, Any] = {}
    for key, value in overrides.items():
        section, dot, last = key.rpartition(".")
        if last == "dataset" or (last == "table" and not is_table(value)) or last != "table":
            found[key] = _section(value) if last == "dataset" else value
            continue
        named = {part: overrides.get(f"{section}{dot}{part}") for part in ("root", "columns")}
        found |= {f"{section}.{name}": part for name, part in table_section(value, **named).items()}
    return found


def _section(value: Any) -> Any:
    if is_table(value):
        return table_section(value)
    if isinstance(value, Mapping) and is_table(value.get("table")):
        section = table_section(value["table"], root=value.get("root"), columns=value.get("columns"))
        return {**value, **section}
    return value
