"""Training: runs of a config, and recorded runs trained again."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from audiosurvey.api.arguments import PathLike, loaded, need_at_least, numbers, path_or_none
from audiosurvey.api.progress import ShowProgress
from audiosurvey.api.state import keeps_state
from audiosurvey.errors import ArgumentError

if TYPE_CHECKING:
    from audiosurvey.api.run import Run
    from audiosurvey.config.loader import ConfigSource, LoadedConfig, Overrides
    from audiosurvey.reproduction.verdict import Reproduction


@keeps_state
def train(
    config: "ConfigSource",
    overrides: "Overrides" = (),
    *,
    run_dir: PathLike | None = None,
    folds: int | Sequence[int] | None = None,
    quick: bool = False,
    more: int | None = None,
    resume: bool = False,
    final: bool = False,
    detection: bool = True,
    golden_clips: bool = True,
    device: str = "auto",
    jobs: int = 1,
    threads: int | None = None,
    progress: ShowProgress = False,
) -> "Run":
    """Cross-validates a config: trains one model per fold, after a pretraining if the config says so.

    Everything is written to the run folder as it comes; after an interruption (also Ctrl-C) the same call with
    `resume=True` continues, with equal results. In a program, folds side by side (`jobs`) need the usual
    `if __name__ == "__main__":`.

    Args:
        config: as in `load_config`; with `more`, the folder of a finished run.
        overrides: as in `load_config`.
        run_dir: folder of the run; None: `runs/NAME-TIME`.
        folds: train these folds only; None: all.
        quick: train a tenth of the epochs on one fold, to see whether anything is learned; the results are marked.
        more: begin a new run with the weights and the optimizer of a finished one, and train for this many epochs.
        resume: continue the run in `run_dir`.
        final: after the folds, train one model on the clips of all of them, for use.
        detection: with `final`, choose how events are found in long recordings, on soundscapes made of the clips.
        golden_clips: store eight windows of training clips in each model, which show whether it still computes the
            same; otherwise made sounds, where training audio must not be passed on.
        device: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.
        jobs: folds trained side by side, each in a process with its share of the threads.
        threads: processor threads of all jobs; None: as many as torch uses now. They change the last digits.
        progress: see `audiosurvey.Progress`.

    Returns:
        The run, with its results so far.

    Raises:
        UserError: for faults of the config or the data, for a folder that holds something else, and for a loss that
            is not finite.
    """
    from audiosurvey.api.listeners import listener_of
    from audiosurvey.api.run import Run
    from audiosurvey.detection.training import train_run
    from audiosurvey.runs.more import default_folder
    from audiosurvey.runs.plan import TrainOptions

    if resume and run_dir is None:
        raise ArgumentError("{resume}: which run? give its {run_dir}", resume=True, run_dir=...)
    need_at_least(1, jobs=jobs, threads=threads, more=more)
    folder, parent = path_or_none(run_dir), None
    if more is None:
        found = loaded(config, overrides)
    else:
        found, parent = _more(config, more, overrides, resume=resume)
        folder = folder or default_folder(parent, more)
    options = TrainOptions(
        folder,
        numbers(folds),
        resume,
        device,
        final=final,
        jobs=jobs,
        threads=threads,
        detection=detection,
        parent=parent,
        quick=quick,
        golden_clips=golden_clips,
    )
    listener = listener_of(progress)
    trained = train_run(found, options, listener)
    return Run(trained.folder, trained.results)


def _more(run: "ConfigSource", more: int, overrides: "Overrides", *, resume: bool) -> tuple["LoadedConfig", Path]:
    """The config of a run that continues the one in the folder `run`, and this folder."""
    from audiosurvey.runs.more import load_more

    if resume:
        raise ArgumentError(
            "{more}: begins a new run; after an interruption, resume that with its config.yaml and without {more}",
            more=...,
        )
    if not isinstance(run, str | Path):
        raise ArgumentError("{more}: which run? give its folder in place of a config", more=...)
    return load_more(Path(run), more, overrides), Path(run)


@keeps_state
def reproduce(
    recorded: PathLike,
    overrides: "Overrides" = (),
    *,
    run_dir: PathLike | None = None,
    folds: int | Sequence[int] | None = None,
    jobs: int | None = None,
    threads: int | None = None,
    device: str = "auto",
    progress: ShowProgress = False,
) -> "Reproduction":
    """Trains a recorded run again, and compares the results with those recorded.

    Args:
        recorded: a run folder, or a file in the form of results.json.
        overrides: other paths, such as `{"dataset.root": "sounds"}`; nothing else may be changed.
        run_dir: the new run folder, continued if it is there; None: `runs/NAME-reproduced`.
        folds: train these folds only; None: all that were recorded.
        jobs: folds trained side by side; None: as recorded.
        threads: processor threads of all jobs; None: as recorded.
        device: as in `train`.
        progress: see `audiosurvey.Progress`.

    Returns:
        The verdict (`equal`, `reproduced` or `different`), the scores of each fold, and what differs.

    Raises:
        UserError: if there is no such run, it cannot be trained again, or an override would change the experiment.
    """
    from audiosurvey.api.listeners import listener_of
    from audiosurvey.reproduction.record import ReproduceOptions
    from audiosurvey.reproduction.reproduce import reproduce as train_again

    need_at_least(1, jobs=jobs, threads=threads)
    options = ReproduceOptions(path_or_none(run_dir), numbers(folds), jobs, threads, device)
    return train_again(Path(recorded), overrides, options, listener_of(progress))
