"""The files that a comparison is written to."""

from collections.abc import Callable, Mapping
from pathlib import Path

from audiosurvey.atomic import write_text
from audiosurvey.comparison.page import comparison_page
from audiosurvey.comparison.records import csv_text, long_records, markdown, records
from audiosurvey.comparison.result import Comparison
from audiosurvey.errors import ArgumentError
from audiosurvey.targets import check_target

OUTPUTS: dict[str, Callable[[Comparison], str]] = {
    "csv": lambda found: csv_text(records(found)),
    "long_csv": lambda found: csv_text(long_records(found)),
    "markdown": markdown,
    "html": comparison_page,
}
"""What each argument of the command writes."""


def check_outputs(targets: Mapping[str, Path], *, force: bool) -> None:
    """Raises UserError, before any work, if a file must not be written or is named twice."""
    seen: dict[Path, str] = {}
    for option, path in targets.items():
        check_target(option, path, force=force)
        if (other := seen.setdefault(path.absolute(), option)) != option:
            raise ArgumentError(f"{{{other}}}, {{{option}}}: are one file; give two", **{other: path, option: path})


def write_outputs(found: Comparison, targets: Mapping[str, Path]) -> None:
    """Writes each file completely or not at all."""
    for option, path in targets.items():
        write_text(path, OUTPUTS[option](found))
