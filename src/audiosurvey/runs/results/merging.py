"""Merges folds of one experiment that were trained at different times or on different machines."""

from collections.abc import Callable, Sequence
from pathlib import Path

from audiosurvey.config.reading.wording import show
from audiosurvey.errors import UserError
from audiosurvey.runs.results.merged_run import check_merged_run, write_merged_run
from audiosurvey.runs.results.recipes import PATHS_AND_SPEED, differing
from audiosurvey.runs.results.results import RunResults, joined, parse_results
from audiosurvey.runs.results.run_folder import RunFolder
from audiosurvey.runs.results.stored import read_json, write_json
from audiosurvey.targets import check_target

_ONE_EXPERIMENT = ("version", "config", "dataset", "classes", "all_folds", "skipped", "parameters", "macs", "init")
"""Keys that must be equal, down to the last key of the resolved config."""


def merge(
    paths: Sequence[Path],
    output: Path | None = None,
    *,
    run_dir: Path | None = None,
    force: bool = False,
    say: Callable[[str], object] = lambda line: None,
) -> RunResults:
    """The results of all folds in `paths`: run folders, or files in the form of results.json.

    `run_dir`: a run folder to make of these run folders, with their models; `say` is told what it lacks.

    Raises UserError if a file contains no results, two are not of one experiment (naming every key that differs), a
    fold occurs twice, or `output` must not be written.
    """
    if output is not None:
        inputs = [path / "results.json" if path.is_dir() else path for path in paths]
        check_target("output", output, inputs=inputs, force=force)
    merged = _merged(paths)
    if run_dir is not None:
        check_merged_run(paths, run_dir)
        for line in write_merged_run(paths, merged, run_dir):
            say(line)
    if output is not None:
        write_json(output, merged.as_json())
    return merged


def _merged(paths: Sequence[Path]) -> RunResults:
    if len(paths) < 2:
        raise UserError("merge: needs at least two results; give run folders or results.json files")
    found = [(path, _read(path)) for path in paths]
    first_path, first = found[0]
    for path, results in found[1:]:
        if differing := _differences(first, results):
            raise UserError(f"{path}: from another experiment than {first_path}; differences:", *differing)
    seen: dict[int, Path] = {}
    for path, results in found:
        for fold in results.done:
            if fold in seen:
                raise UserError(f"{path}: fold {fold} is also in {seen[fold]}; leave one of them out")
            seen[fold] = path
    return joined([results for _, results in found])


def _read(path: Path) -> RunResults:
    wanted = "give a run folder with results, or a results.json file"
    found = RunFolder(path).read_results() if path.is_dir() else None
    file = path / "results.json" if path.is_dir() else path
    if found is None and not file.is_file():
        raise UserError(f"{path}: no results; {wanted}")
    stored = found.as_json() if found else read_json(file, wanted)
    missing = [key for key in (*_ONE_EXPERIMENT, "folds", "leaking", "confusion") if key not in stored]
    if missing:
        raise UserError(f"{file}: cannot be merged, because it lacks {', '.join(missing)}; train it again")
    return found or parse_results(stored, file, wanted)


def _differences(one: RunResults, other: RunResults) -> list[str]:
    lines = []
    ours, theirs = one.as_json(), other.as_json()
    for key in _ONE_EXPERIMENT:
        for name, (before, after) in differing(ours[key], theirs[key], key).items():
            if name not in PATHS_AND_SPEED | {"dataset.title"}:
                lines.append(f"  {name}: {show(before)} and {show(after)}")
    if one.parent != other.parent:
        shown = [
            f"{each.parent.run} after epoch {each.parent.epochs}" if each.parent else "no run" for each in (one, other)
        ]
        lines.append(f"  continues: {' and '.join(shown)}")
    return lines
