"""The table of contents: one function for each command. The public Python API.

Functions return typed results and print nothing: lines and progress go to callbacks and listeners. Paths are files or
folders; `progress` and `bar` show progress; `force` overwrites existing files.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from audiosurvey.analysis.robustness import measure_robustness as robustness
from audiosurvey.analysis.suspects import write_suspects as suspects
from audiosurvey.artefact import hub
from audiosurvey.comparison.compare import compare_paths as compare
from audiosurvey.comparison.leaderboard import CompareOptions
from audiosurvey.config.checks.meta_network import meta_network
from audiosurvey.config.data_check import DataCheck, check_data
from audiosurvey.config.loader import LoadedConfig, load_config
from audiosurvey.config.manual.starter import write_starter
from audiosurvey.config.presets import preset_titles
from audiosurvey.config.root import Config
from audiosurvey.data.dataset import DatasetConfig
from audiosurvey.data.download import datasets
from audiosurvey.data.sets.registry import downloadable
from audiosurvey.data.sounds import Sounds, prepare_sounds
from audiosurvey.demo.server import DemoOptions, serve
from audiosurvey.doctor.audit import Diagnosis
from audiosurvey.doctor.subject import Subject, find_subject
from audiosurvey.export.export import ExportResult, export_model
from audiosurvey.export.formats import Format
from audiosurvey.model import describe as describing
from audiosurvey.predict import prediction
from audiosurvey.predict.options import PredictOptions
from audiosurvey.report.page.writing import ReportOptions
from audiosurvey.report.page.writing import write_report as report
from audiosurvey.report.preview import write_previews
from audiosurvey.reproduce.record import ReproduceOptions
from audiosurvey.reproduce.reproduce import reproduce
from audiosurvey.runs import listing
from audiosurvey.runs import train as training
from audiosurvey.runs.evaluation import heldout
from audiosurvey.runs.evaluation.conditions import measure_conditions
from audiosurvey.runs.listener import Advance, OpenBar, no_bar
from audiosurvey.runs.plan import TrainOptions, TrainResult
from audiosurvey.runs.results import merging
from audiosurvey.runs.results.results import RunResults
from audiosurvey.runs.results.run_folder import RunFolder
from audiosurvey.runs.train import TrainListener
from audiosurvey.survey.survey import SurveyOptions, open_survey, survey_status, train_final

# fmt: off
__all__ = [  # noqa: RUF022
    "init", "presets", "check", "describe", "download", "prepare", "preview", "train", "TrainOptions", "evaluate",
    "runs", "merge", "open_survey", "SurveyOptions", "survey_status", "train_final", "compare", "CompareOptions",
    "report", "ReportOptions", "robustness", "suspects", "reproduce", "ReproduceOptions", "doctor", "predict",
    "PredictOptions", "export", "demo", "DemoOptions", "push",
]
# fmt: on
Say = Callable[[str], None]


def init(path: Path, dataset: str, preset: str | None = None, *, force: bool = False) -> None:
    """Writes a commented starter config."""
    write_starter(path, dataset, preset, force=force)


def presets() -> dict[str, str]:
    """The shipped presets, each with a title."""
    return preset_titles()


def check(loaded: LoadedConfig) -> DataCheck:
    """Looks at the data of a config without decoding a sound. Raises UserError for what prevents training."""
    loaded.refuse_obstacles()
    return check_data(loaded)


def describe(config: Config, classes: int) -> describing.Description:
    """The layer table of a config's network; nothing is computed and no data is needed."""
    return describing.describe(meta_network(config, classes), config.input_shape)


def download(
    name: str, root: Path | None = None, url: str | None = None, progress: Advance | None = None
) -> datasets.Downloaded:
    """Downloads a built-in data set, resuming an interrupted download."""
    spec, archive = downloadable(name)
    return datasets.download(archive, root or spec.root, url=url, progress=progress)


def prepare(
    dataset: DatasetConfig, sample_rate: int, *, workers: int | None = None, progress: Advance | None = None
) -> Sounds:
    """Table and store of a data set, which is decoded once."""
    return prepare_sounds(dataset, sample_rate, workers=workers, progress=progress)


def preview(
    config: Config, clips: Sequence[str], epochs: Sequence[int], folder: Path, force: bool, bar: OpenBar = no_bar
) -> list[Path]:
    """Renders augmented clips: WAV before and after, a picture, and what was drawn. No `clips`: the first one."""
    return write_previews(config, clips, epochs, folder, force, bar)


def train(loaded: LoadedConfig, options: TrainOptions, listener: TrainListener = TrainListener()) -> TrainResult | None:
    """Pretrains if the config says so, then trains one model per fold, and with `options.final` one on all folds."""
    return training.train(loaded, options, listener)


def evaluate(
    target: Path,
    data: str | None = None,
    device: str = "auto",
    reverse: bool = False,
    conditions: bool = False,
    bar: OpenBar = no_bar,
) -> RunResults | heldout.EvaluationResult:
    """Evaluates a run: each fold's model on its own test fold; or a model on other `data`.

    `conditions`: also on test clips recorded otherwise, for a run.
    """
    other = heldout.data_for_model(target, data, conditions=conditions)
    if other is not None:
        return heldout.evaluate_model(target, other, device=device, reverse=reverse, bar=bar)
    run = heldout.open_run(RunFolder(target), bar)
    results = heldout.evaluate_run(run, device=device, reverse=reverse)
    return results.changed(conditions=measure_conditions(run, device=device, bar=bar)) if conditions else results


def runs(folder: Path, leave_out: Say) -> list[listing.ListedRun]:
    """Every run in a folder; `leave_out` is called with a line for each that cannot be read."""
    return listing.list_runs(folder, leave_out)


def merge(results: Sequence[Path], output: Path | None = None, *, force: bool = False) -> RunResults:
    """Joins folds of one experiment: run folders, or results.json files; writes them to `output`."""
    return merging.merge(results, output, force=force)


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
    subject = find_subject(data, overrides)
    if subject is None:
        config = load_config(data, overrides).config
        subject = Subject(Path(data), config.dataset, config.mel_spectrogram.limits_hz(config.sample_rate)[1])
    subject.check_outputs(outputs, force=force)
    return subject.audit(progress)


def predict(
    path: str,
    words: Sequence[str],
    options: PredictOptions,
    listener: prediction.PredictionListener = prediction.PredictionListener(),
) -> prediction.PredictionSummary:
    """Scores sounds and writes the predictions to a file or to stdout. `words`: paths, `-`, or `--mic`."""
    return prediction.predict(path, words, options, listener)


def export(
    model: Path, format: Format, output: Path | None, int8: bool, calibration: Path | None, force: bool
) -> ExportResult:
    """Writes one file for another runtime and notes it in the model card. `output` None: into the model folder."""
    return export_model(model, format, output, int8=int8, calibration=calibration, force=force)


def demo(target: str, options: DemoOptions, say: Say) -> None:
    """Serves the demo until Ctrl-C; `say` receives its address."""
    serve(target, options, say)


def push(model: Path, repo: str, private: bool) -> hub.Pushed:
    """Publishes a model on the Hugging Face Hub, if its golden clips still give the logits they gave."""
    return hub.push(model, repo, private=private)
