"""A file that describes a published data set: `dataset: {spec: FILE}`.

Its contents become part of the config, so that the config of a run needs the file no more. Keys that the file gives
cannot be given beside it.
"""

from pathlib import Path as FilePath
from typing import Any

from pydantic import Field

from audiosurvey.config.reading.document import Document, Path, read
from audiosurvey.config.reading.faults import lines
from audiosurvey.config.reading.validate import validate
from audiosurvey.config.resolved import plain
from audiosurvey.data.sets.csv_columns import ColumnsConfig
from audiosurvey.data.sets.set_facts import SetFacts
from audiosurvey.errors import Fault, UserError

_SECTIONS: tuple[tuple[str, ...], ...] = (("dataset",), ("pretrain", "dataset"))
_LAYOUT = ("table", "columns", "label_separator", "multi_label", "licence")
"""Keys of the file that are keys of the section `dataset`."""
_DEFAULTS = ("clip_seconds",)
"""Those that the config may change."""


class SetFile(SetFacts):
    """A published data set whose clips are listed in a CSV table."""

    table: FilePath
    """The CSV, relative to the root of the data set."""
    columns: ColumnsConfig = ColumnsConfig()
    label_separator: str = "|"
    """Separator of several labels in one cell."""
    multi_label: bool | None = None
    """Whether a clip can have any number of labels; null: true if any row has several."""
    licence: str | None = None
    """Licence of the audio."""
    clip_seconds: float | None = Field(default=None, gt=0)
    """Default of `dataset.clip_seconds`."""


def fill_set(document: Document) -> None:
    """Replace `spec: FILE` by what the file says. Raises UserError with all faults of the file, by its lines."""
    for where in _SECTIONS:
        section: Any = document.data
        for part in where:
            section = section.get(part) if isinstance(section, dict) else None
        if isinstance(section, dict) and isinstance(section.get("spec"), str):
            _fill(document, where, section)


def read_set(path: FilePath) -> SetFile:
    """The data set that a file describes. Raises UserError with all faults of the file, by its lines."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None
    described = read(content, str(path), kind="data set", example="name: speech_commands")
    checked = validate(SetFile, described)
    if found := lines(described, checked.faults):
        raise UserError(*found)
    assert checked.config is not None, "a file without a fault is valid"
    return checked.config


def is_set_file(path: FilePath) -> bool:
    """Whether a YAML file describes a data set, and is no config: it names a table at its first level."""
    if path.suffix.lower() not in (".yaml", ".yml") or not path.is_file():
        return False
    try:
        data: Any = read(path.read_bytes(), str(path), kind="data set").data
    except (OSError, UserError):
        return False
    return isinstance(data, dict) and {"name", "table"} <= data.keys() and "dataset" not in data


def _fill(document: Document, where: Path, section: dict[str, Any]) -> None:
    key = (*where, "spec")
    place = document.place(key)
    path = FilePath(section["spec"]).expanduser()
    try:
        found = read_set(path)
    except UserError as error:
        if path.is_file():
            raise
        document.faults.append((place, Fault(key, error.lines[0])))
        document.put(key, None, place)
        return
    for name in [name for name in (*_LAYOUT, "windows", "subset") if section.get(name) is not None]:
        fault = f"is given by {path.as_posix()}; leave it out" if name in _LAYOUT else "cannot be combined with spec"
        document.faults.append((document.place((*where, name)), Fault((*where, name), fault)))
    if section.get("name", "csv") != "csv":
        fault = "a data set with a spec is a table; leave the name out"
        document.faults.append((document.place((*where, "name")), Fault((*where, "name"), fault)))
    document.put((*where, "name"), "csv", place)
    if section.get("root") is None:
        document.put((*where, "root"), path.parent.as_posix(), place)
    for name in (*_LAYOUT, *_DEFAULTS):
        value = plain(getattr(found, name))
        if value is not None and (name in _LAYOUT or section.get(name) is None):
            document.put((*where, name), value, place)
    facts = {name: plain(getattr(found, name)) for name in SetFacts.model_fields}
    document.put(key, facts, place)
