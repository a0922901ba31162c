"""Evaluation: of runs and models, on events in long recordings, and on corrupted clips."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audiosurvey.api.arguments import PathLike, data_of, numbers, path_or_none
from audiosurvey.api.progress import ShowProgress
from audiosurvey.api.state import keeps_state
from audiosurvey.errors import ArgumentError, UserError

if TYPE_CHECKING:
    from audiosurvey.analysis.robustness_results import RobustnessResults
    from audiosurvey.analysis.suspects import SuspectResults
    from audiosurvey.artefact.detection import DetectionSettings
    from audiosurvey.detection.evaluation import EventEvaluation
    from audiosurvey.detection.scoring import Measure
    from audiosurvey.detection.tuning import TunedDetection
    from audiosurvey.runs.evaluation.evaluation_result import EvaluationResult
    from audiosurvey.runs.results.results import RunResults


@keeps_state
def evaluate(
    target: PathLike,
    data: Any = None,
    *,
    device: str = "auto",
    conditions: bool = False,
    other: PathLike | None = None,
    reverse: bool = False,
    output: PathLike | None = None,
    force: bool = False,
    progress: ShowProgress = False,
) -> "RunResults | EvaluationResult":
    """Evaluates a run, each fold's model on its own test fold, or a model on other data.

    Args:
        target: a run folder, or a model folder.
        data: for a model: the root of a data set, a config, or a table in memory. None for a run.
        device: as in `train`.
        conditions: for a run: also on test clips made quieter, duller, shorter and noisier.
        other: a folder or a CSV table of sounds of no class: how well they are told from the clips.
        reverse: evaluate in reverse order, on which the result must not depend.
        output: a folder for predictions.csv, classes.csv, mixed_up.csv and confusion.png.
        force: overwrite these files.
        progress: see `audiosurvey.Progress`.

    Returns:
        The results of a run, as in results.json, or those of a model on the data. `by_class` has the scores of each
        class, `mixed_up` the classes that are taken for each other, with examples, and `predictions` the scores of
        every clip.

    Raises:
        UserError: if there is no such run or model, its data changed, a class is unknown to the model, or the files
            must not be written.
    """
    from audiosurvey.api.bars import bar_of
    from audiosurvey.reporting.evaluation_files import check_evaluation_folder, write_evaluation
    from audiosurvey.runs.evaluation import heldout
    from audiosurvey.runs.evaluation.conditions import measure_conditions
    from audiosurvey.runs.evaluation.unknown import open_others
    from audiosurvey.runs.results.run_folder import RunFolder
    from audiosurvey.training.devices import check_device

    path, bar = Path(target), bar_of(progress)
    if not path.exists():
        raise UserError(f"{path}: no such folder; expected a run or a model")
    check_device(device)
    on, sounds = heldout.data_for_model(path, data_of(data), conditions=conditions), path_or_none(other)
    folder = path_or_none(output)
    if folder is not None:
        check_evaluation_folder(folder, force=force)
    if on is not None:
        found = heldout.evaluate_model(path, on, device=device, reverse=reverse, other=sounds, bar=bar)
        if folder is not None:
            write_evaluation(folder, found)
        return found
    run = heldout.open_run(RunFolder(path), bar)
    others = None if sounds is None else open_others(sounds, run.config.dataset, run.config.sample_rate, bar)
    results = heldout.evaluate_run(run, device=device, reverse=reverse, others=others)
    if folder is not None:
        write_evaluation(folder, results)
    return results.changed(conditions=measure_conditions(run, device=device, bar=bar)) if conditions else results


@keeps_state
def evaluate_events(
    model: PathLike,
    annotations: PathLike,
    *,
    window_s: float | None = None,
    hop_s: float | None = None,
    threshold: float | str | None = None,
    smooth: int | str | None = None,
    remove_background: bool | None = None,
    on: float | None = None,
    off: float | None = None,
    min_duration_s: float | None = None,
    min_gap_s: float | None = None,
    onset_s: float = 1.5,
    offset_share: float | None = None,
    segment_s: float = 1.0,
    device: str = "auto",
    progress: ShowProgress = False,
) -> "EventEvaluation":
    """How well a model finds events in long recordings.

    Args:
        model: a model folder, a run with one, or an exported file.
        annotations: a table of events in recordings, or a folder of recordings with their tables.
        window_s: as in `predict`.
        hop_s: as in `predict`.
        threshold: as in `predict`.
        smooth: as in `predict`.
        remove_background: as in `predict`.
        on: as in `predict`.
        off: as in `predict`.
        min_duration_s: as in `predict`.
        min_gap_s: as in `predict`.
        onset_s: seconds that the start of an event may be off.
        offset_share: share of its length that the end may be off; None: any.
        segment_s: seconds of a segment.
        device: as in `train`.
        progress: see `audiosurvey.Progress`.

    Returns:
        Scores of events and segments by label, and the events of each recording.

    Raises:
        UserError: for annotations that cannot be read, or without a label of the model.
    """
    from audiosurvey.api.bars import bar_of
    from audiosurvey.detection.evaluation import evaluate_events as measure
    from audiosurvey.prediction.options import PredictOptions

    options = PredictOptions(
        device=device,
        window_s=window_s,
        hop_s=hop_s,
        threshold=None if threshold is None else str(threshold),
        smooth=None if smooth is None else str(smooth),
        remove_background=remove_background,
        on=on,
        off=off,
        min_duration_s=min_duration_s,
        min_gap_s=min_gap_s,
    )
    options.check()
    how = _measure(onset_s, offset_share, segment_s)
    with bar_of(progress)("recordings") as advance:
        return measure(str(model), Path(annotations), options, how, advance or _ignored)


@keeps_state
def tune_events(
    model: PathLike,
    annotations: PathLike,
    *,
    onset_s: float = 1.5,
    offset_share: float | None = None,
    segment_s: float = 1.0,
    device: str = "auto",
    progress: ShowProgress = False,
) -> "TunedDetection":
    """Chooses the windows and thresholds with which a model finds events best, and stores them in its model.json.

    Args:
        model: a model folder, or a run with a final model.
        annotations: as in `evaluate_events`; recordings that the model is not tested on.
        onset_s: as in `evaluate_events`.
        offset_share: as in `evaluate_events`.
        segment_s: as in `evaluate_events`.
        device: as in `train`.
        progress: see `audiosurvey.Progress`.

    Returns:
        The settings, and what they are worth, measured on recordings that had no part in the choice.

    Raises:
        UserError: as `evaluate_events` does.
    """
    from audiosurvey.api.bars import bar_of
    from audiosurvey.detection.tuning import tune_detection

    how = _measure(onset_s, offset_share, segment_s)
    with bar_of(progress)("recordings") as advance:
        return tune_detection(Path(model), Path(annotations), how, device=device, progress=advance or _ignored)


@keeps_state
def tune_run_events(
    run: PathLike, *, device: str = "auto", progress: ShowProgress = False
) -> "dict[Path, DetectionSettings]":
    """Chooses how the models of a run find events, on soundscapes made of its clips, and stores it in each model.json.

    Each soundscape holds test clips of one fold and is scored by the model of that fold. The settings of a fold's own
    model come from the soundscapes of the other folds.

    Args:
        run: the run folder.
        device: as in `train`.
        progress: see `audiosurvey.Progress`.

    Returns:
        The settings by model folder, with what they scored on the soundscapes; empty if none could be chosen.

    Raises:
        UserError: if there is no such run, or its data are missing.
    """
    from audiosurvey.api.listeners import listener_of
    from audiosurvey.detection.run_settings import settle_run
    from audiosurvey.runs.results.run_folder import RunFolder

    return settle_run(RunFolder(Path(run)), device=device, listener=listener_of(progress), anew=True)


@keeps_state
def robustness(
    run: PathLike,
    *,
    folds: int | Sequence[int] | None = None,
    baseline: PathLike | None = None,
    fresh: bool = False,
    device: str = "auto",
    progress: ShowProgress = False,
) -> "RobustnessResults":
    """Tests the models of a run on corrupted clips of their test folds: noise, filters, reverberation, MP3, ...

    Args:
        run: the run folder; `analysis/robustness.json` is written in it.
        folds: measure these only; None: all that have ended.
        baseline: a run to compare errors with, whose robustness was measured before.
        fresh: measure folds again that were measured before.
        device: as in `train`.
        progress: see `audiosurvey.Progress`.

    Returns:
        Scores by corruption and severity, of each fold and their means.

    Raises:
        UserError: if there is no such run, a fold has no model, or the baseline cannot be compared.
    """
    from audiosurvey.analysis.robustness import measure_robustness
    from audiosurvey.api.bars import bar_of
    from audiosurvey.training.devices import check_device

    path = Path(run)
    if not path.is_dir():
        raise UserError(f"{path}: no such folder; expected a run")
    check_device(device)
    return measure_robustness(
        path, numbers(folds), baseline=path_or_none(baseline), device=device, fresh=fresh, bar=bar_of(progress)
    )


@keeps_state
def suspects(run: PathLike) -> "SuspectResults":
    """Clips of a run whose label is probably wrong, by confident learning.

    Args:
        run: the run folder; `analysis/suspects.json` is written in it.

    Returns:
        The clips, the most suspicious first.

    Raises:
        UserError: if there is no such run, or its predictions are missing or damaged.
    """
    from audiosurvey.analysis.suspects import write_suspects

    return write_suspects(Path(run))


def _measure(onset_s: float, offset_share: float | None, segment_s: float) -> "Measure":
    from audiosurvey.detection.scoring import Measure

    most = {"onset_s": float("inf"), "offset_share": 1.0, "segment_s": float("inf")}
    for name, value in {"onset_s": onset_s, "offset_share": offset_share, "segment_s": segment_s}.items():
        if value is not None and not 0 < value <= most[name]:
            bounds = "a share above 0, up to 1" if name == "offset_share" else "seconds above 0"
            raise ArgumentError(f"{{{name}}}: expected {bounds}", **{name: value})
    return Measure(onset_s, offset_share, segment_s)


def _ignored(done: float, total: float | None) -> None:
    pass
