"""JSON files as typed data: reading, and atomic writing."""

import json
from pathlib import Path
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from audiosurvey.atomic import write_text
from audiosurvey.errors import UserError


class StoredPart(BaseModel):
    """A part of a JSON file. Keys that this version does not know are kept; keys that were never set stay absent."""

    model_config = ConfigDict(strict=True, frozen=True, extra="allow", populate_by_name=True)

    def as_json(self) -> dict[str, Any]:
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)

    def changed(self, **fields: Any) -> Self:
        return self.model_copy(update=fields)


def write_json(path: Path, value: Any) -> None:
    """Writes JSON, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path, mend: str = "copy it again") -> dict[str, Any]:
    """The mapping in a JSON file. Raises UserError, ending in `mend`, for a file that is missing or damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: is missing; {mend}") from None
    except (ValueError, RecursionError):
        raise UserError(f"{path}: damaged, not JSON; {mend}") from None
    if not isinstance(found, dict):
        raise UserError(f"{path}: damaged, not a mapping of names to values; {mend}")
    return found


Part = TypeVar("Part", bound=StoredPart)


def read_part(kind: type[Part], path: Path, mend: str, *, what: str, schema: int) -> Part:
    """A file of this schema as typed data. Raises UserError, ending in `mend`, for another schema, and as `read_json`
    and `parse_part` do."""
    stored = read_json(path, mend)
    if stored.get("schema") != schema:
        raise UserError(f"{path}: {what} of schema {stored.get('schema')}; this version reads {schema}; {mend}")
    return parse_part(kind, stored, path, mend)


def parse_part(kind: type[Part], stored: dict[str, Any], path: Path, mend: str) -> Part:
    """`stored` as typed data; raises UserError naming the first key that is missing or of the wrong type."""
    try:
        return kind.model_validate(stored)
    except ValidationError as error:
        first = error.errors()[0]
        fault = f"{'.'.join(map(str, first['loc']))}: {first['msg'][:1].lower()}{first['msg'][1:]}"
        raise UserError(f"{path}: damaged, {fault}; {mend}") from None
