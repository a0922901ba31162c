"""Comparisons of models, and reports as web pages."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from audiosurvey.api.arguments import PathLike, numbers, path_or_none, several
from audiosurvey.api.progress import ShowProgress, say, warn
from audiosurvey.api.state import keeps_state
from audiosurvey.errors import UserError

if TYPE_CHECKING:
    from audiosurvey.comparison.result import Comparison
    from audiosurvey.reporting.page.writing import WrittenReport
    from audiosurvey.runs.listing import ListedRun
    from audiosurvey.runs.results.results import RunResults


@keeps_state
def compare(
    paths: PathLike | Iterable[PathLike],
    *,
    baseline: str | None = None,
    pairs: bool = False,
    margin: float = 0.01,
    folds: int | Sequence[int] | None = None,
    cost: str = "macs",
    timing: bool = False,
) -> "Comparison":
    """Compares models on the same clips: intervals, verdicts, costs.

    Args:
        paths: survey folders, run folders, or folders with predictions.csv. Incomplete runs of surveys are left out.
        baseline: the model that verdicts are against; None: the best one.
        pairs: also compare all pairs.
        margin: differences below it count as none, as a share.
        folds: compare on these folds only; None: on all.
        cost: that of the Pareto front, such as `macs`, `parameters`, `train_seconds`, `ms_per_clip`.
        timing: measure the time per clip now, and store it beside the runs; otherwise stored times are used.

    Returns:
        The comparison. As a sequence it holds one dict for each model and data set, best first, so that
        `pandas.DataFrame(audiosurvey.compare(...))` is a table of it.

    Raises:
        UserError: for what cannot be read or compared.
    """
    from audiosurvey.comparison.compare import compare_paths
    from audiosurvey.comparison.leaderboard import CompareOptions

    options = CompareOptions(baseline, pairs, margin, tuple(numbers(folds) or ()), cost)
    return compare_paths(several(paths), options, timing=timing, say=say)


@keeps_state
def report(
    target: PathLike,
    output: PathLike | None = None,
    *,
    audio: bool = True,
    runs: bool = False,
    folds: int | Sequence[int] | None = None,
    force: bool = False,
    progress: ShowProgress = False,
) -> "WrittenReport":
    """Writes a run or a survey as one HTML page: results, curves, classes, mistakes to hear, costs.

    Args:
        target: a run folder, or a survey folder.
        output: the file to write; None: `report.html` in the folder, replaced if it is there.
        audio: with sounds, on the page of a run.
        runs: for a survey: also write the page of each run, without sounds.
        folds: for a survey: compare on these folds only; None: on all.
        force: overwrite an existing file.
        progress: see `audiosurvey.Progress`.

    Returns:
        The path and size of the page, and what could not be shown.

    Raises:
        UserError: if there is no such folder, it has no results, or the file must not be written.
    """
    from audiosurvey.reporting.page.target import ReportOptions, check_report

    options = ReportOptions(audio, runs, force, tuple(numbers(folds) or ()))
    # A mistake is told before torch is loaded.
    check_report(Path(target), path_or_none(output), options)
    from audiosurvey.api.bars import bar_of
    from audiosurvey.reporting.page.writing import write_report

    return write_report(Path(target), path_or_none(output), options, bar_of(progress))


def list_runs(folder: PathLike = "runs", *, unreadable: Callable[[str], object] = warn) -> "list[ListedRun]":
    """The runs in a folder and below it, with their results so far. The function of the command `runs`.

    Args:
        folder: where to look.
        unreadable: called with a line about each run that cannot be read; by default these are logged.

    Returns:
        One entry for each run, sorted by name.

    Raises:
        UserError: if there is no such folder.
    """
    from audiosurvey.runs.listing import list_runs as listed

    path = Path(folder)
    if not path.is_dir():
        raise UserError(f"{path}: no such folder; 'audiosurvey train' makes runs, in runs/ unless --run-dir is given")
    return listed(path, unreadable)


def merge(
    results: Iterable[PathLike],
    output: PathLike | None = None,
    *,
    run_dir: PathLike | None = None,
    force: bool = False,
) -> "RunResults":
    """Merges the folds of runs with the same config, data and version.

    Args:
        results: run folders, or results.json files.
        output: file to write the merged results to; None: none.
        run_dir: run folder to make of the run folders, with copies of their folds and models; None: none.
        force: overwrite an existing file.

    Returns:
        The results of all folds.

    Raises:
        UserError: if two are not of one experiment, or a fold occurs twice.
    """
    from audiosurvey.runs.results.merging import merge as joined

    folder = path_or_none(run_dir)
    merged = joined(
        several(results), path_or_none(output), run_dir=folder, force=force, say=lambda line: say(f"note: {line}")
    )
    if folder is not None:
        from audiosurvey.reporting.listener import draw_run
        from audiosurvey.runs.results.run_folder import RunFolder

        draw_run(RunFolder(folder), merged)
    return merged
