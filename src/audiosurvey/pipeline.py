"""The table of contents: one function for each command that trains, measures or uses models. The public Python API.

Functions return typed results and print nothing: lines and progress go to callbacks that the caller hands in.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch

from audiosurvey.analysis.robustness import measure_robustness
from audiosurvey.analysis.robustness_results import RobustnessResults
from audiosurvey.analysis.suspects import SuspectResults, write_suspects
from audiosurvey.artefact import hub
from audiosurvey.artefact.folder import find_model, load_artefact
from audiosurvey.artefact.load import load
from audiosurvey.comparison import compare as comparing
from audiosurvey.comparison.leaderboard import CompareOptions
from audiosurvey.comparison.result import Comparison
from audiosurvey.config.checks.meta_network import meta_network
from audiosurvey.config.data_check import DataCheck, check_data
from audiosurvey.config.loader import LoadedConfig, load_config
from audiosurvey.config.root import Config
from audiosurvey.data.dataset import DatasetConfig
from audiosurvey.data.sounds import Sounds, prepare_sounds
from audiosurvey.doctor.audit import Diagnosis
from audiosurvey.doctor.subject import audit
from audiosurvey.export import export as exporting
from audiosurvey.export.formats import SUFFIXES, Format
from audiosurvey.model import describe as describing
from audiosurvey.predict import prediction
from audiosurvey.predict.inputs import open_sources
from audiosurvey.predict.options import PredictOptions
from audiosurvey.predict.prediction_log import model_digest, open_prediction_log
from audiosurvey.predict.writers import PREDICTION_WRITERS, open_output
from audiosurvey.report.page.writing import (
    WrittenReport,
    is_survey,
    report_path,
    write_run_report,
    write_survey_report,
)
from audiosurvey.report.plan import final_line, forecast_line, plan_lines
from audiosurvey.report.prediction import prediction_lines, resumed_lines
from audiosurvey.report.preview import preview_files, write_preview
from audiosurvey.reproduce.differences import look_for_differences
from audiosurvey.reproduce.record import ReproduceOptions, read_record
from audiosurvey.reproduce.verdict import Reproduction, judge
from audiosurvey.reproduce.wording import difference_lines
from audiosurvey.runs import listing
from audiosurvey.runs.evaluation import conditions as recorded_otherwise
from audiosurvey.runs.evaluation import heldout
from audiosurvey.runs.listener import Advance, OpenBar, RunListener, no_bar
from audiosurvey.runs.plan import TrainOptions, TrainResult, plan_run
from audiosurvey.runs.rendering import render_clip
from audiosurvey.runs.results import merging
from audiosurvey.runs.results.results import RunResults, write_json
from audiosurvey.runs.results.run_folder import RunFolder
from audiosurvey.survey import survey as surveys
from audiosurvey.survey.status import SurveyStatus
from audiosurvey.survey.survey import OpenSurvey, SurveyOptions
from audiosurvey.targets import check_target
from audiosurvey.threads import threads
from audiosurvey.training.devices import check_device

Say = Callable[[str], None]


def check(loaded: LoadedConfig) -> DataCheck:
    """Looks at the data of a config without decoding a sound. Raises UserError for what prevents training."""
    loaded.refuse_obstacles()
    return check_data(loaded)


def describe(config: Config, classes: int) -> describing.Description:
    """The layer table of a config's network; nothing is computed and no data is needed."""
    return describing.describe(meta_network(config, classes), config.input_shape)


def prepare(
    dataset: DatasetConfig, sample_rate: int, *, workers: int | None = None, progress: Advance | None = None
) -> Sounds:
    """Table and store of a data set, which is decoded once."""
    return prepare_sounds(dataset, sample_rate, workers=workers, progress=progress)


def preview(
    loaded: LoadedConfig, clips: Sequence[str], epochs: Sequence[int], folder: Path, force: bool, bar: OpenBar = no_bar
) -> list[Path]:
    """Renders augmented clips: WAV before and after, a picture, and what was drawn. No `clips`: the first one."""
    sounds = heldout.prepare(loaded.config.dataset, loaded.config.sample_rate, bar)
    asked = [(clip, epoch) for clip in clips or [sounds.table.clips[0].id] for epoch in epochs]
    if folder.is_dir():
        inputs = [clip.path for clip in sounds.table.clips]
        for clip, epoch in asked:
            for file in preview_files(folder, clip, epoch):
                check_target("--output", file, inputs=inputs, force=force)
    rendered = (render_clip(loaded.config, sounds, clip, epoch) for clip, epoch in asked)
    return [file for arguments in rendered for file in write_preview(folder, **arguments)]


def train(loaded: LoadedConfig, options: TrainOptions, listener: RunListener = RunListener()) -> TrainResult | None:
    """Pretrains if asked to, then trains one model per fold, and with `options.final` one on all of them.

    Of several processes (torchrun) only the main one writes, calls the listener, and returns something.
    """
    with threads(options.threads or torch.get_num_threads()):
        plan = plan_run(loaded, options, listener.bar)
        main = plan.context.is_main
        listener = listener if main else RunListener()
        with plan.folder.lock() if main else nullcontext():
            for line in [*plan.begin(), *plan_lines(plan)]:
                listener.say(line)
            pending = plan.pending
            if pending:
                listener.say(forecast_line(plan))
            if pending or plan.final_pending:
                plan = plan.pretrained(listener)
                plan.run_folds(listener)
            if plan.final_pending:
                listener.say(final_line(plan))
                plan.run_final(listener)
            if not pending:
                listener.recorded(plan.folder, plan.results())
        return TrainResult(plan.folder.path, plan.results()) if main else None


def evaluate(
    target: Path,
    data: str | None = None,
    device: str = "auto",
    reverse: bool = False,
    *,
    conditions: bool = False,
    bar: OpenBar = no_bar,
) -> RunResults | heldout.EvaluationResult:
    """Evaluates a run: each fold's model on its own test fold; or a model on other `data`.

    `conditions`: also on test clips recorded otherwise, for a run.
    """
    if not heldout.evaluated_as_run(target, data, conditions=conditions):
        assert data is not None
        return heldout.evaluate_model(target, data, device=device, reverse=reverse, bar=bar)
    run = RunFolder(target)
    results = heldout.evaluate_run(run, device=device, reverse=reverse, bar=bar)
    if conditions:
        return results.changed(conditions=recorded_otherwise.measure_conditions(run, device=device, bar=bar))
    return results


def robustness(
    run: Path,
    folds: Sequence[int] | None = None,
    *,
    baseline: Path | None = None,
    device: str = "auto",
    fresh: bool = False,
    bar: OpenBar = no_bar,
) -> RobustnessResults:
    """The fold models of a run on corrupted clips of their test folds; written to RUN/analysis/robustness.json."""
    return measure_robustness(RunFolder(run), folds=folds, baseline=baseline, device=device, fresh=fresh, bar=bar)


def suspects(run: Path) -> SuspectResults:
    """Clips of a run whose label is probably wrong, most suspicious first; written to RUN/analysis/suspects.json."""
    return write_suspects(RunFolder(run))


def runs(folder: Path, leave_out: Say) -> list[listing.ListedRun]:
    """Every run in a folder; `leave_out` is called with a line for each that cannot be read."""
    return listing.list_runs(folder, leave_out)


def merge(results: Sequence[Path], output: Path | None = None, *, force: bool = False) -> RunResults:
    """Joins folds of one experiment: run folders, or results.json files; writes them to `output`."""
    if output is not None:
        inputs = [path / "results.json" if path.is_dir() else path for path in results]
        check_target("--output", output, inputs=inputs, force=force)
    merged = merging.merge(results)
    if output is not None:
        write_json(output, merged.as_json())
    return merged


def compare(
    paths: Sequence[Path], options: CompareOptions, *, timing: bool = False, say: Say = lambda line: None
) -> Comparison:
    """Compares models on the same clips: those in survey folders, run folders and folders of predictions."""
    return comparing.compare_paths(paths, options, timing=timing, say=say)


def reproduce(
    path: Path, overrides: Sequence[str], options: ReproduceOptions, listener: RunListener = RunListener()
) -> Reproduction:
    """Trains a recorded run, or the run of a results.json, again in a new folder, and compares the results.

    `overrides` may change paths and speed only. A folder that holds a part of the reproduction is continued.
    """
    record = read_record(path)
    loaded, settings = record.load(overrides), record.train_options(options)
    differences = look_for_differences(record, loaded.config, settings, listener.bar)
    for line in difference_lines(differences):
        listener.say(line)
    trained = train(loaded, settings, listener)
    assert trained is not None, "one process"
    return judge(record, trained.folder, trained.results, differences)


def doctor(data: str, overrides: Sequence[str] = (), progress: Callable[[int, int], None] | None = None) -> Diagnosis:
    """The audit of a data set: a config, the root of a data set, a CSV, or a bare folder of sounds."""
    return audit(data, overrides, progress)


def report(
    target: Path,
    output: Path | None = None,
    *,
    audio: bool = True,
    runs: bool = False,
    force: bool = False,
    bar: OpenBar = no_bar,
) -> WrittenReport:
    """One HTML page about a run or a survey. `output` None: `report.html` in its folder, which is replaced.

    `audio`: with sounds, on the page of a run; `runs`: also the pages of a survey's runs.
    """
    path = report_path(target, output, force=force)
    if is_survey(target):
        return write_survey_report(target, path, runs=runs, bar=bar)
    return write_run_report(RunFolder(target), path, audio=audio, bar=bar)


def predict(
    path: str,
    words: Sequence[str],
    options: PredictOptions,
    say: Say = lambda line: None,
    bar: Callable[[str], AbstractContextManager[Callable[[float], None]]] | None = None,
) -> prediction.PredictionSummary:
    """Scores sounds and writes the answers to a file or to stdout. `words`: paths, `-`, or `--mic`."""
    check_device(options.device)
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    model = load(path, trust=options.trust)
    model.to(options.device)
    how, postprocessing, digest = options.windowing(), options.postprocessing(model), model_digest(model, Path(path))
    began = time.monotonic()
    with open_sources(words, options.pcm(), whole=options.whole) as sources:
        options.check_sources(sources)
        options.check_target(Path(path), sources)
        shown = nullcontext(lambda share: None) if bar is None or any(s.live for s in sources) else bar("predicting")
        with open_prediction_log(options.output, digest, how, sources, options.restart) as log:
            for line in resumed_lines(log, len(sources)):
                say(line)
            with shown as advance, open_output(options.output) as file:
                make = PREDICTION_WRITERS[options.format]
                writer = make(file, postprocessing, model.labels, options.scores, model.training_range is not None)
                result = prediction.predict_sounds(model, sources, how, postprocessing, writer, log, advance)
    for line in prediction_lines(result, time.monotonic() - began):
        say(line)
    return result


def export(
    model: Path, format: Format, output: Path | None, int8: bool, calibration: Path | None, force: bool
) -> exporting.ExportResult:
    """Writes one file for another runtime and notes it in the model card. `output` None: into the model folder."""
    folder = find_model(model)
    path = output or folder / f"model{'.int8' if int8 else ''}{SUFFIXES[format]}"
    exporting.check_suffix(path, format)
    check_target("--output", path, force=force or output is None, own_folder=folder)
    model_card = folder / "README.md"
    return exporting.export(load_artefact(folder), path, format, int8=int8, calibration=calibration, card=model_card)


def push(model: Path, repo: str, private: bool) -> hub.Pushed:
    """Publishes a model on the Hugging Face Hub, if its golden clips still give the logits they gave."""
    return hub.push(model, repo, private=private)


def open_survey(path: Path, options: SurveyOptions, bar: OpenBar = no_bar) -> OpenSurvey:
    """Reads and plans a survey; `train` and `forecast` of what this returns do the work."""
    return surveys.open_survey(path, options, bar)


def survey_status(path: Path) -> SurveyStatus:
    """Where a survey folder stands, also while processes work on it."""
    return surveys.survey_status(path)


def train_final(path: Path, row: str, listener: RunListener = RunListener()) -> surveys.FinalModel:
    """Trains one model of a row of a survey on all folds."""
    run = surveys.final_run(path, row)
    config, options = surveys.final_options(run)
    trained = train(load_config(config), options, listener)
    return surveys.final_model(run, trained)
