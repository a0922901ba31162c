"""`train RUN --more 40`: a new run that goes on where a finished one ended, for more epochs.

The new run begins with copies of the checkpoints of its parent: weights, their average, the optimizer's moments and the
number of epochs. From then on it is a run like any other, and can be interrupted and resumed. Its learning rate goes
through the whole schedule once more, over the new epochs. The parent stays as it is.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path

from audiosurvey.atomic import write_text
from audiosurvey.config.loader import LoadedConfig, Overrides, load_config
from audiosurvey.config.root import Config
from audiosurvey.errors import ArgumentError, UserError, some_of
from audiosurvey.runs.results.facts import ParentFacts
from audiosurvey.runs.results.fold_log import METRICS
from audiosurvey.runs.results.run_folder import RunFolder
from audiosurvey.runs.results.stored import write_json
from audiosurvey.runs.stages.final import PLAN
from audiosurvey.training.checkpoint import continue_state

CHECKPOINT = Path("checkpoint") / "state.safetensors"
_CHANGEABLE = ("train.lr", "train.weight_decay", "train.num_workers", "train.grad_clip", "schedule.", "augmentation.")
_PLACES = ("dataset.root", "dataset.store", "dataset.table", "tracking", "protocol.test_every")


def load_more(run: Path, more: int, overrides: Overrides = ()) -> LoadedConfig:
    """The config of a run that continues `run` for `more` epochs.

    Raises UserError for a run that cannot go on, and for `overrides` of what its checkpoints depend on.
    """
    folder = RunFolder(run)
    if not folder.config_path.is_file():
        raise UserError(f"{run}: no run folder (no config.yaml in it); --more continues a finished run")
    for word in overrides:
        key = word.partition("=")[0].strip()
        if not key.startswith((*_CHANGEABLE, *_PLACES)):
            raise UserError(
                f"{key}: cannot be changed with --more, which continues from the weights and the optimizer of {run}; "
                f"only {', '.join(key.removesuffix('.') for key in (*_CHANGEABLE, *_PLACES))} can"
            )
    before = folder.read_config()
    if before.train.head_only:
        raise UserError(f"{run}: train.head_only fits the classifier in one go; there are no epochs to go on with")
    if before.train.patience or not before.train.epochs:
        raise UserError(
            f"{run}: train.patience ended it; to train it for longer, begin another run with a larger train.patience"
        )
    epochs = before.train.epochs + more
    return load_config(load_config(folder.config_path, overrides), {"train.epochs": epochs})


def default_folder(run: Path, more: int) -> Path:
    """Beside the parent: `runs/mine-more40`."""
    return run.parent / f"{run.absolute().name}-more{more}"


def parent_facts(run: Path) -> ParentFacts:
    """What a run records of its parent."""
    folder = RunFolder(run)
    return ParentFacts(run=run.as_posix(), epochs=folder.read_config().train.epochs or 0)


def ended_folds(run: Path) -> list[int]:
    """The folds that have ended, which are gone on with by default. Raises UserError if there is none."""
    return RunFolder(run).require_results().done


def check_parent(run: Path, folds: Iterable[int], data: tuple[str, str | None], *, final: bool) -> None:
    """Raises UserError where a fold to go on with, or the final model, has not ended, and where the data is not that of
    the parent. `data`: the hashes of the data and of the background recordings."""
    folder = RunFolder(run)
    mend = f"finish it first: audiosurvey train {folder.config_path.as_posix()} --run-dir {run.as_posix()} --resume"
    missing = [fold for fold in folds if not (folder.fold(fold) / CHECKPOINT).is_file()]
    unfinished = [fold for fold in folds if not folder.fold_result(fold).is_file()]
    if unfinished:
        listed = some_of([str(fold) for fold in unfinished], 5)
        which = f"fold {listed} has" if len(unfinished) == 1 else f"folds {listed} have"
        raise ArgumentError(f"{run}: {which} not ended; {mend}, or give other {{folds}}", folds=...)
    if missing:
        raise UserError(f"{run}: fold {missing[0]} has no checkpoint any more, so nothing can go on from it")
    if final and not (folder.final / CHECKPOINT).is_file():
        raise ArgumentError(f"{run}: has no final model to go on with; {mend} --final", final=...)
    if final and (selection := folder.read_config().protocol.selection) != "last":
        raise UserError(
            f"{run}: with protocol.selection: {selection}, the folds choose the epochs of the final model; "
            "leave --final out"
        )
    begun = folder.begun_with()
    if (begun["data_hash"], begun.get("background_hash")) != data:
        raise UserError(f"{run}: was trained on other data than are there now; begin another run")


def adopt(run: RunFolder, parent: ParentFacts, folds: Iterable[int], *, final: bool) -> None:
    """Copies the checkpoints of the parent that the run does not have yet. `folds`: those to go on with."""
    source = RunFolder(Path(parent.run))
    if source.pretraining.is_dir() and not run.pretraining.exists():
        shutil.copytree(source.pretraining, run.pretraining)
    for fold in folds:
        _adopt(source.fold(fold), run.fold(fold))
    if final:
        _adopt(source.final, run.final)
        epochs = run.read_config().train.epochs
        write_json(run.final / PLAN, {"epochs": epochs})


def schedule_line(config: Config, parent: ParentFacts) -> str:
    """What the learning rate does in the new epochs."""
    schedule, lr = config.schedule, config.train.lr
    more = (config.train.epochs or 0) - parent.epochs
    shape = {
        "constant": f"stays at {lr:g}",
        "cosine": f"rises to {lr:g} once more in the first {schedule.warmup:.0%} of them, then falls to "
        f"{lr * schedule.final:g} (cosine)",
        "one_cycle": f"goes from {lr * schedule.start:g} to {lr:g} and down to {lr * schedule.final:g} once more",
        "ramp": f"rises to {lr:g} once more, then falls linearly to {lr * schedule.final:g}",
    }[schedule.name]
    return f"{more} more epochs after the {parent.epochs} of {parent.run}; the learning rate {shape}"


def _adopt(source: Path, target: Path) -> None:
    """Copies the log and the checkpoint of one training, and marks where it goes on. The checkpoint comes last."""
    if (target / CHECKPOINT).exists() or (target / "result.json").exists():
        return
    if not (source / CHECKPOINT).is_file():
        raise UserError(f"{source / CHECKPOINT}: is missing; the run cannot go on from there")
    (target / "checkpoint").mkdir(parents=True, exist_ok=True)
    records = (source / METRICS).read_text(encoding="utf-8") if (source / METRICS).is_file() else ""
    write_text(target / METRICS, records)
    for best in (source / "checkpoint").glob("best-*.safetensors"):
        shutil.copyfile(best, target / "checkpoint" / best.name)
    continue_state(source / CHECKPOINT, target / CHECKPOINT)
