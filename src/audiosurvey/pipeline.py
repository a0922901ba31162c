"""The table of contents: one function for each command. The public Python API.

Functions return typed results and print nothing: lines and progress go to callbacks and listeners. Paths are files or
folders; `progress` and `bar` show progress; `force` overwrites existing files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from audiosurvey.analysis.robustness import measure_robustness as robustness
    from audiosurvey.analysis.suspects import write_suspects as suspects
    from audiosurvey.artefact.hub import push
    from audiosurvey.comparison.compare import compare_paths as compare
    from audiosurvey.comparison.leaderboard import CompareOptions
    from audiosurvey.config.data_check import DataCheck
    from audiosurvey.config.loader import LoadedConfig
    from audiosurvey.config.manual.starter import write_starter as init
    from audiosurvey.config.presets import preset_titles as presets
    from audiosurvey.config.root import Config
    from audiosurvey.data.download.datasets import Downloaded
    from audiosurvey.data.sounds import prepare_sounds as prepare
    from audiosurvey.demo.server import DemoOptions
    from audiosurvey.demo.server import serve as demo
    from audiosurvey.detection.evaluation import evaluate_events
    from audiosurvey.detection.tuning import tune_detection
    from audiosurvey.diagnosis.audit import Diagnosis
    from audiosurvey.exporting.export import export_model as export
    from audiosurvey.model.describe import Description
    from audiosurvey.prediction.options import PredictOptions
    from audiosurvey.prediction.prediction import predict
    from audiosurvey.reporting.page.target import ReportOptions
    from audiosurvey.reporting.page.writing import write_report as report
    from audiosurvey.reporting.preview import write_previews as preview
    from audiosurvey.reproduction.record import ReproduceOptions
    from audiosurvey.reproduction.reproduce import reproduce
    from audiosurvey.runs.evaluation.heldout import EvaluationResult
    from audiosurvey.runs.listener import Advance, OpenBar
    from audiosurvey.runs.listing import list_runs as runs
    from audiosurvey.runs.plan import TrainOptions
    from audiosurvey.runs.results.merging import merge
    from audiosurvey.runs.results.results import RunResults
    from audiosurvey.runs.train import train
    from audiosurvey.surveys.status import survey_status
    from audiosurvey.surveys.survey import SurveyOptions, open_survey, train_final

# fmt: off
__all__ = [  # noqa: RUF022
    "init", "presets", "check", "describe", "download", "prepare", "preview", "train", "TrainOptions", "evaluate",
    "evaluate_events", "tune_detection", "runs", "merge", "open_survey", "SurveyOptions", "survey_status",
    "train_final", "compare", "CompareOptions", "report", "ReportOptions", "robustness", "suspects", "reproduce",
    "ReproduceOptions", "doctor", "predict", "PredictOptions", "export", "demo", "DemoOptions", "push",
]
# fmt: on
_ELSEWHERE = {
    "CompareOptions": "comparison.leaderboard:CompareOptions",
    "DemoOptions": "demo.server:DemoOptions",
    "PredictOptions": "predict.options:PredictOptions",
    "ReportOptions": "report.page.target:ReportOptions",
    "ReproduceOptions": "reproduce.record:ReproduceOptions",
    "SurveyOptions": "survey.survey:SurveyOptions",
    "TrainOptions": "runs.plan:TrainOptions",
    "compare": "comparison.compare:compare_paths",
    "demo": "demo.server:serve",
    "evaluate_events": "detection.evaluation:evaluate_events",
    "tune_detection": "detection.tuning:tune_detection",
    "export": "export.export:export_model",
    "init": "config.manual.starter:write_starter",
    "merge": "runs.results.merging:merge",
    "open_survey": "survey.survey:open_survey",
    "predict": "predict.prediction:predict",
    "prepare": "data.sounds:prepare_sounds",
    "presets": "config.presets:preset_titles",
    "preview": "report.preview:write_previews",
    "push": "artefact.hub:push",
    "report": "report.page.writing:write_report",
    "reproduce": "reproduce.reproduce:reproduce",
    "robustness": "analysis.robustness:measure_robustness",
    "runs": "runs.listing:list_runs",
    "suspects": "analysis.suspects:write_suspects",
    "survey_status": "survey.status:survey_status",
    "train": "runs.train:train",
    "train_final": "survey.survey:train_final",
}
"""Where functions and options are defined."""


def __getattr__(name: str) -> Any:
    # Everything is loaded on first use: each command waits only for what it needs.
    if name not in _ELSEWHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _ELSEWHERE[name].partition(":")
    return getattr(import_module(f"audiosurvey.{module}"), attribute)


def check(loaded: LoadedConfig) -> DataCheck:
    """Looks at the data of a config without decoding a sound. Raises UserError for what prevents training."""
    from audiosurvey.config.data_check import check_data

    loaded.refuse_obstacles()
    return check_data(loaded)


def describe(config: Config, classes: int) -> Description:
    """The layer table of a config's network; nothing is computed and no data is needed."""
    from audiosurvey.config.checks.meta_network import meta_network
    from audiosurvey.model.describe import describe as layer_table

    return layer_table(meta_network(config, classes), config.input_shape)


def download(
    name: str, root: Path | None = None, url: str | None = None, progress: Advance | None = None
) -> Downloaded:
    """Downloads a built-in data set, resuming an interrupted download."""
    from audiosurvey.data.download import datasets
    from audiosurvey.data.sets.registry import downloadable

    spec, archive = downloadable(name)
    return datasets.download(archive, root or spec.root, url=url, progress=progress)


def evaluate(
    target: Path,
    data: str | None = None,
    device: str = "auto",
    reverse: bool = False,
    conditions: bool = False,
    bar: OpenBar | None = None,
) -> RunResults | EvaluationResult:
    """Evaluates a run: each fold model on its own test fold; or a model on other `data`.

    `conditions`: also on test clips under other recording conditions, for a run.
    """
    from audiosurvey.runs.evaluation import heldout
    from audiosurvey.runs.evaluation.conditions import measure_conditions
    from audiosurvey.runs.listener import no_bar
    from audiosurvey.runs.results.run_folder import RunFolder

    bar = bar or no_bar
    other = heldout.data_for_model(target, data, conditions=conditions)
    if other is not None:
        return heldout.evaluate_model(target, other, device=device, reverse=reverse, bar=bar)
    run = heldout.open_run(RunFolder(target), bar)
    results = heldout.evaluate_run(run, device=device, reverse=reverse)
    return results.changed(conditions=measure_conditions(run, device=device, bar=bar)) if conditions else results


def doctor(
    data: str,
    overrides: Sequence[str] = (),
    progress: Callable[[int, int], None] | None = None,
    *,
    outputs: Mapping[str, Path | None] = {},
    force: bool = False,
) -> Diagnosis:
    """The audit of a data set: a config, the root of a data set, a CSV, or a bare folder of sounds.

    `outputs`: by argument, files that will be written afterwards; they are checked first.
    """
    from audiosurvey.config.loader import load_config
    from audiosurvey.diagnosis.subject import Subject, find_subject

    subject = find_subject(data, overrides)
    if subject is None:
        config = load_config(data, overrides).config
        subject = Subject(Path(data), config.dataset, config.mel_spectrogram.limits_hz(config.sample_rate)[1])
    subject.check_outputs(outputs, force=force)
    return subject.audit(progress)
