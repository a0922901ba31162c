"""Joins folds of one experiment that were trained at different times, or on different machines, into one result."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from audiosurvey.errors import UserError
from audiosurvey.runs.results.results import Results, add_folds, checked_results, read_json
from audiosurvey.runs.results.run_folder import RunFolder, flat

_ONE_EXPERIMENT = ("version", "config", "dataset", "classes", "all_folds", "skipped", "parameters", "macs", "init")
"""What has to be equal, to the last key of the resolved config."""


_NO_MATTER = {
    f"config.{stage}{key}"
    for stage, keys in {
        "": ("tracking",),
        "dataset.": ("root", "store"),
        "train.": ("num_workers",),
        "pretrain.": ("num_workers", "dataset.root", "dataset.store"),
    }.items()
    for key in keys
}
"""Where things lie and how fast they come: folds may be trained on different machines. The data are known by their
hash."""


def merge(paths: Sequence[Path]) -> Results:
    """The results.json of all folds in `paths`: run folders, or files of that form.

    Raises UserError where a file is no result, two are not of one experiment (naming every key that differs), or a fold
    is there twice.
    """
    if len(paths) < 2:
        raise UserError("merge: needs two results at least; give run folders or results.json files")
    found = [(path, _read(path)) for path in paths]
    first_path, first = found[0]
    for path, results in found[1:]:
        if differing := _differences(first, results):
            raise UserError(f"{path}: not of one experiment with {first_path}; what differs:", *differing)
    seen: dict[int, Path] = {}
    for path, results in found:
        for row in results["folds"]:
            if row["fold"] in seen:
                raise UserError(
                    f"{path}: fold {row['fold']} is in {seen[row['fold']]} too; leave one of the two out: a fold "
                    "counts once"
                )
            seen[row["fold"]] = path
    merged = first | {"folds": [], "final": None, "confusion": None}
    merged["leaking"] = any(results["leaking"] for _, results in found)
    for _, results in found:
        confusion = results["confusion"]
        add_folds(merged, results["folds"], None if confusion is None else np.asarray(confusion))
    return merged


def _read(path: Path) -> Results:
    file = path / "results.json" if path.is_dir() else path
    wanted = "give a run folder with a results.json in it, or such a file"
    if not file.is_file():
        raise UserError(f"{path}: no results; {wanted}")
    run = RunFolder(file.parent)
    mend = run.scored_anew if run.config_path.exists() and file == run.results_path else wanted
    results = read_json(file, mend)
    missing = [key for key in (*_ONE_EXPERIMENT, "folds", "leaking", "confusion") if key not in results]
    if missing:
        raise UserError(f"{file}: cannot be merged, since it does not hold {', '.join(missing)}; train it again")
    return checked_results(results, file, mend)


def _differences(one: Results, other: Results) -> list[str]:
    lines = []
    for key in _ONE_EXPERIMENT:
        before, after = flat(one[key], key), flat(other[key], key)
        for name in sorted(before.keys() | after.keys()):
            if name not in _NO_MATTER and before.get(name) != after.get(name):
                lines.append(f"  {name}: {_short(before.get(name))} and {_short(after.get(name))}")
    return lines


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."
