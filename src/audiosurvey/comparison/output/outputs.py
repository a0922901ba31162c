"""The files that a comparison is written to."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from audiosurvey.atomic import write_text
from audiosurvey.comparison.output.page import comparison_page
from audiosurvey.comparison.output.records import csv_text, long_records, markdown, records
from audiosurvey.comparison.result import Comparison
from audiosurvey.errors import ArgumentError
from audiosurvey.runs.results.fold_predictions import FILE
from audiosurvey.targets import check_target

OUTPUTS: dict[str, Callable[[Comparison], str]] = {
    "csv": lambda found: csv_text(records(found)),
    "long_csv": lambda found: csv_text(long_records(found)),
    "markdown": markdown,
    "html": comparison_page,
}
"""What each argument of the command writes."""
_INPUTS = (FILE, f"*/{FILE}", f"*/*/{FILE}", "survey.yaml", "plan.json")
"""Files in a folder that is compared; those of runs are refused as such."""


def check_outputs(targets: Mapping[str, Path], paths: Sequence[Path], *, force: bool) -> None:
    """Raises UserError, before any work, if a file must not be written, is named twice, or is one of those that are
    compared. `paths`: the folders that are compared."""
    inputs = [file for path in paths for pattern in _INPUTS for file in path.glob(pattern)] if targets else []
    seen: dict[Path, str] = {}
    for option, path in targets.items():
        check_target(option, path, inputs=inputs, force=force)
        if (other := seen.setdefault(path.absolute(), option)) != option:
            same = f"{{{other}}}, {{{option}}}: are the same file; give different files"
            raise ArgumentError(same, **{other: path, option: path})


def write_outputs(found: Comparison, targets: Mapping[str, Path]) -> None:
    """Writes each file completely or not at all."""
    for option, path in targets.items():
        write_text(path, OUTPUTS[option](found))
