"""Files of results: a CSV whose paths are relative to its folder, as tables of sounds have them, or JSON."""

import csv
import io
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from audiosurvey.atomic import write_text
from audiosurvey.data.names import as_text
from audiosurvey.errors import ArgumentError
from audiosurvey.targets import check_target

_ENDINGS = (".csv", ".json")
_ARRAY = re.compile(r"array \d+")


def check_result_file(argument: str | None, path: Path, inputs: Iterable[Path] = (), *, force: bool = False) -> None:
    """Raises UserError unless `path` may be written and ends in .csv or .json. `argument`: its name, if it has one."""
    if path.suffix.lower() not in _ENDINGS:
        expected = "expected a file that ends in .csv or .json, such as found.csv"
        if argument is None:
            raise ArgumentError(f"{path}: {expected}")
        raise ArgumentError(f"{{{argument}}}: {expected}", **{argument: path})
    check_target(argument, path, inputs=inputs, force=force)


def write_result_file(
    path: Path, header: Sequence[str], rows: Iterable[Sequence[object]], data: Mapping[str, Any], *, force: bool
) -> None:
    """Writes `data` to a .json, or the rows to a .csv, whole or not at all. The first cell of a row is its path.

    Raises UserError for a file that exists, unless `force` is given, for one of the listed, and for other endings.
    """
    rows = list(rows)
    check_result_file(None, path, [Path(str(row[0])) for row in rows], force=force)
    if path.suffix.lower() == ".json":
        write_text(path, json.dumps(data, indent=2, ensure_ascii=False) + "\n")
        return
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(header)
    table.writerows([_relative(str(row[0]), path.absolute().parent), *row[1:]] for row in rows)
    write_text(path, text.getvalue())


def _relative(name: str, folder: Path) -> str:
    """A path as the table in this folder names it; an array keeps its name."""
    path = Path(name)
    if _ARRAY.fullmatch(name) and not path.exists():
        return name
    try:
        return as_text(Path(os.path.relpath(path.absolute(), folder)).as_posix())
    except ValueError:  # another drive on Windows
        return as_text(path.absolute().as_posix())
