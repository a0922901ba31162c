"""A run that is resumed in another environment: its results may differ in their last digits.

Each difference to environment.json is reported in a line, and recorded there.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from audiosurvey.runs.executors.side_by_side import plan_rounds
from audiosurvey.runs.results.run_folder import RunFolder

_NAMES = {
    "processes": "processes",
    "device": "device",
    "devices": "GPUs",
    "machine": "kind of processor",
    "cpu_capability": "instruction set",
}
"""Keys of environment.json on which the last digits depend, besides threads and packages, with a name for each."""
_PACKAGES = ("torch", "numpy")


def note_changes(run: RunFolder, now: Mapping[str, Any], folds: Sequence[int], pending: Sequence[int]) -> list[str]:
    """Lines on what has changed since the run began; recorded under `resumed` of environment.json, each change once.

    `now`: the environment of this process; `folds`: all that were asked for; `pending`: those that are not done, none
    if only the final model is left.
    """
    begun = run.begun_with()
    lines = [*_other_threads(begun, now, folds, pending), *_other_means(begun, now)]
    if lines:
        means = {key: now[key] for key in ("torch_threads", "jobs", *_NAMES, "packages")}
        run.record_resume(means | {"folds": list(pending)})
    return [f"note: {line}; results may differ in their last digits from an uninterrupted run" for line in lines]


def fold_threads(folds: Sequence[int], jobs: int, threads: int) -> dict[int, int]:
    """The number of threads each fold is trained with."""
    return {fold: members.threads for members in plan_rounds(folds, folds, jobs, threads) for fold in members.folds}


def _other_threads(
    begun: Mapping[str, Any], now: Mapping[str, Any], folds: Sequence[int], pending: Sequence[int]
) -> list[str]:
    if "torch_threads" not in begun or begun["device"] != "cpu" or now["device"] != "cpu":
        return []
    threads, jobs = begun["torch_threads"], begun.get("jobs", 1)
    before, after = fold_threads(folds, jobs, threads), fold_threads(folds, now["jobs"], now["torch_threads"])
    pairs = [(before[fold], after[fold]) for fold in pending] or [(threads, now["torch_threads"])]
    other = next(((one, two) for one, two in pairs if one != two), None)
    if other is None:
        return []
    mend = f"--threads {threads}" + (f" --jobs {jobs}" if jobs != now["jobs"] else "")
    return [f"the run began with {_counted(other[0])} per fold and continues with {other[1]} ({mend} keeps the number)"]


def _other_means(begun: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    pairs = {name: (begun.get(key), now[key]) for key, name in _NAMES.items()}
    pairs |= {name: (begun.get("packages", {}).get(name), now["packages"][name]) for name in _PACKAGES}
    return [
        f"{name}: {before} when the run began, {after} now"
        for name, (before, after) in pairs.items()
        if before is not None and before != after
    ]


def _counted(threads: int) -> str:
    return "1 thread" if threads == 1 else f"{threads} threads"
