"""What the page of a run shows: read from its folder, and computed from models and sounds where available."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from audiosurvey.analysis.audit import audit_run
from audiosurvey.analysis.explanations import Explanations, explain_mistakes
from audiosurvey.analysis.mistakes import Mistake, worst_mistakes
from audiosurvey.analysis.robustness_results import RobustnessResults, robustness_of
from audiosurvey.analysis.suspects import SuspectResults, find_suspects
from audiosurvey.analysis.timing_results import TimingResults, timing_of
from audiosurvey.config.root import Config
from audiosurvey.data.sounds import Sounds
from audiosurvey.errors import UserError, of_the_system
from audiosurvey.runs.evaluation.heldout import fold_split, prepare
from audiosurvey.runs.listener import OpenBar
from audiosurvey.runs.rendering import render_clip
from audiosurvey.runs.results.fold_log import read_history
from audiosurvey.runs.results.fold_predictions import read_fold_predictions
from audiosurvey.runs.results.predictions import PredictionTable
from audiosurvey.runs.results.results import RunResults
from audiosurvey.runs.results.row import SurveyRow, read_row
from audiosurvey.runs.results.run_folder import RunFolder
from audiosurvey.runs.results.stored import read_json

SHOWN_MISTAKES = 12
T = TypeVar("T")
_AUGMENTED_CLIPS, _AUGMENTED_EPOCHS = 2, (1, 2)


@dataclass(frozen=True)
class RunMaterial:
    """What the page of a run is made from."""

    run: RunFolder
    results: RunResults
    histories: Mapping[int, Sequence[Mapping[str, Any]]]
    """metrics.jsonl by fold."""
    tables: tuple[PredictionTable, ...]
    """predictions.csv of each fold; empty if one of them is missing."""
    config: Config | None
    environment: Mapping[str, Any]
    sounds: Sounds | None
    mistakes: tuple[Mistake, ...]
    explanations: Explanations
    audit: Mapping[str, Any] | None
    augmented: tuple[tuple[dict[str, Any], ...], ...]
    """For each clip, renderings of several epochs, as `render_clip` returns them."""
    suspects: SuspectResults | None = None
    robustness: RobustnessResults | None = None
    """What `audiosurvey robustness` measured; None if it was not run."""
    timing: TimingResults | None = None
    """What `audiosurvey compare --timing` measured; None if it was not run."""
    row: SurveyRow | None = None
    """The row of a survey that the run belongs to, if it belongs to one."""
    absent: Mapping[str, str] = field(default_factory=dict)
    """Why something is missing: `predictions`, `config`, `sounds`, `models`, `augmented`, `audit`, ..."""


def gather(run: RunFolder, bar: OpenBar) -> RunMaterial:
    """Reads a run, and computes what is not stored beside it yet.

    Raises UserError if there are no results. Everything else may be missing; `absent` gives the reason.
    """
    results = run.read_results(remake=False)
    if results is None:
        raise UserError(f"{run.path}: no results; give the folder of a run with a finished fold, or of a survey")
    absent: dict[str, str] = {}
    tables = _tables(run, results, absent)
    config = _or_absent("config", absent, run.read_config)
    if config is None:
        absent["sounds"] = absent["config"]
    sounds = _sounds(results, config, absent, bar)
    mistakes = worst_mistakes(tables, SHOWN_MISTAKES, multi_label=results.multi_label)
    explanations = Explanations({})
    audit, augmented = None, None
    if config is not None and sounds is not None:
        explanations = explain_mistakes(run, config, sounds, mistakes, bar)
        if explanations.missing:
            absent["models"] = explanations.missing[0]
        augmented = _or_absent("augmented", absent, lambda: _augmented(config, sounds, results.done[0]))
        audit = _or_absent("audit", absent, lambda: audit_run(run, config, results.dataset.hash, bar))
    return RunMaterial(
        run,
        results,
        _or_absent("curves", absent, lambda: {fold: read_history(run.fold(fold)) for fold in results.done}) or {},
        tuple(tables),
        config,
        _or_absent("environment", absent, lambda: read_json(run.environment_path)) or {},
        sounds,
        tuple(mistakes),
        explanations,
        audit,
        augmented or (),
        _or_absent("suspects", absent, lambda: find_suspects(run)) if tables else None,
        _or_absent("robustness", absent, lambda: robustness_of(run, results)),
        _or_absent("timing", absent, lambda: timing_of(run)),
        _or_absent("row", absent, lambda: read_row(run.path)),
        absent,
    )


def _or_absent(name: str, absent: dict[str, str], make: Callable[[], T]) -> T | None:
    """What `make` returns; None if it raises UserError or a file cannot be read: the first line is the reason."""
    try:
        return make()
    except UserError as error:
        absent[name] = error.lines[0]
    except OSError as error:
        absent[name] = of_the_system(error).lines[0]
    return None


def _tables(run: RunFolder, results: RunResults, absent: dict[str, str]) -> list[PredictionTable]:
    try:
        tables = [read_fold_predictions(run, results, fold) for fold in results.done]
    except (UserError, OSError) as error:
        absent["predictions"] = str(error).splitlines()[0]
        return []
    return tables


def _sounds(results: RunResults, config: Config | None, absent: dict[str, str], bar: OpenBar) -> Sounds | None:
    if config is None:
        return None
    try:
        sounds = prepare(config.dataset, config.sample_rate, bar)
    except UserError as error:
        absent["sounds"] = error.lines[0]
        return None
    if sounds.store.hash != results.dataset.hash:
        absent["sounds"] = f"{sounds.table.root.as_posix()}: the data changed since the run"
        return None
    return sounds


def _augmented(config: Config, sounds: Sounds, fold: int) -> tuple[tuple[dict[str, Any], ...], ...]:
    """The first training clip of several classes, mixed with training clips of this fold."""
    if config.train.head_only:
        return ()
    train = fold_split(config, sounds.table, fold).train
    firsts: dict[tuple[int, ...], str] = {}
    for clip in train:
        firsts.setdefault(clip.labels, clip.id)
    clips = list(firsts.values())[:_AUGMENTED_CLIPS]
    return tuple(
        tuple(render_clip(config, sounds, clip, epoch, partners=train) for epoch in _AUGMENTED_EPOCHS) for clip in clips
    )
