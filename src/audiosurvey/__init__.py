"""audiosurvey: train, compare and ship audio classifiers from one YAML file.

Everything that is listed here is public (docs/python.md) and loaded when it is used first.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from audiosurvey.version import __version__

if TYPE_CHECKING:
    from audiosurvey import losses as losses
    from audiosurvey import metrics as metrics
    from audiosurvey import splits as splits
    from audiosurvey.api.comparing import compare as compare
    from audiosurvey.api.comparing import list_runs as list_runs
    from audiosurvey.api.comparing import merge as merge
    from audiosurvey.api.comparing import report as report
    from audiosurvey.api.configs import check as check
    from audiosurvey.api.configs import describe as describe
    from audiosurvey.api.configs import init as init
    from audiosurvey.api.configs import list_presets as list_presets
    from audiosurvey.api.configs import load_config as load_config
    from audiosurvey.api.data import clear_cache as clear_cache
    from audiosurvey.api.data import doctor as doctor
    from audiosurvey.api.data import download as download
    from audiosurvey.api.data import list_cache as list_cache
    from audiosurvey.api.data import prepare as prepare
    from audiosurvey.api.data import preview as preview
    from audiosurvey.api.data import table as table
    from audiosurvey.api.embeddings import similar as similar
    from audiosurvey.api.embeddings import suggest as suggest
    from audiosurvey.api.estimator.classifier import AudioClassifier as AudioClassifier
    from audiosurvey.api.evaluation import evaluate as evaluate
    from audiosurvey.api.evaluation import evaluate_events as evaluate_events
    from audiosurvey.api.evaluation import robustness as robustness
    from audiosurvey.api.evaluation import suspects as suspects
    from audiosurvey.api.evaluation import tune_events as tune_events
    from audiosurvey.api.evaluation import tune_run_events as tune_run_events
    from audiosurvey.api.loop.augmentations import Augmentation as Augmentation
    from audiosurvey.api.loop.augmentations import augmentation as augmentation
    from audiosurvey.api.loop.datasets import ClipDataset as ClipDataset
    from audiosurvey.api.loop.datasets import batches as batches
    from audiosurvey.api.loop.datasets import scores as scores
    from audiosurvey.api.loop.parts import average as average
    from audiosurvey.api.loop.parts import front_end as front_end
    from audiosurvey.api.loop.parts import learning_rate as learning_rate
    from audiosurvey.api.loop.parts import network as network
    from audiosurvey.api.loop.parts import optimizer as optimizer
    from audiosurvey.api.models import export as export
    from audiosurvey.api.models import push as push
    from audiosurvey.api.models import serve_api as serve_api
    from audiosurvey.api.models import serve_demo as serve_demo
    from audiosurvey.api.prediction import SoundPrediction as SoundPrediction
    from audiosurvey.api.prediction import predict as predict
    from audiosurvey.api.progress import Progress as Progress
    from audiosurvey.api.run import Fold as Fold
    from audiosurvey.api.run import Run as Run
    from audiosurvey.api.run import open_run as open_run
    from audiosurvey.api.surveying import survey as survey
    from audiosurvey.api.surveying import survey_forecast as survey_forecast
    from audiosurvey.api.surveying import survey_status as survey_status
    from audiosurvey.api.surveying import train_final as train_final
    from audiosurvey.api.training import reproduce as reproduce
    from audiosurvey.api.training import train as train
    from audiosurvey.artefact.classifier import Classifier as Classifier
    from audiosurvey.artefact.load import load as load
    from audiosurvey.embeddings.similar import SimilarSound as SimilarSound
    from audiosurvey.embeddings.similar import SimilarSounds as SimilarSounds
    from audiosurvey.embeddings.suggest import Suggestion as Suggestion
    from audiosurvey.embeddings.suggest import Suggestions as Suggestions
    from audiosurvey.errors import UserError as UserError
    from audiosurvey.runs.results.run_predictions import RunPredictions as RunPredictions
    from audiosurvey.training.statistics import FirstBatches as FirstBatches

_PLACES = {
    "api.loop.augmentations": ("Augmentation", "augmentation"),
    "api.comparing": ("compare", "list_runs", "merge", "report"),
    "api.configs": ("check", "describe", "init", "list_presets", "load_config"),
    "api.data": ("clear_cache", "doctor", "download", "list_cache", "prepare", "preview", "table"),
    "api.embeddings": ("similar", "suggest"),
    "api.loop.datasets": ("ClipDataset", "batches", "scores"),
    "api.estimator.classifier": ("AudioClassifier",),
    "api.evaluation": ("evaluate", "evaluate_events", "robustness", "suspects", "tune_events", "tune_run_events"),
    "api.models": ("export", "push", "serve_api", "serve_demo"),
    "api.loop.parts": ("average", "front_end", "learning_rate", "network", "optimizer"),
    "api.prediction": ("SoundPrediction", "predict"),
    "runs.results.run_predictions": ("RunPredictions",),
    "api.progress": ("Progress",),
    "api.run": ("Fold", "Run", "open_run"),
    "api.surveying": ("survey", "survey_forecast", "survey_status", "train_final"),
    "api.training": ("reproduce", "train"),
    "artefact.classifier": ("Classifier",),
    "artefact.load": ("load",),
    "embeddings.similar": ("SimilarSound", "SimilarSounds"),
    "embeddings.suggest": ("Suggestion", "Suggestions"),
    "errors": ("UserError",),
    "training.statistics": ("FirstBatches",),
}
"""Where public names are defined, by module."""
_MODULES = ("losses", "metrics", "splits")
_MODULE_OF = {name: module for module, names in _PLACES.items() for name in names}

# fmt: off
__all__ = [  # noqa: RUF022  (in the order of docs/python.md)
    "__version__", "UserError", "Progress",
    "load_config", "init", "list_presets", "check", "describe",
    "download", "prepare", "table", "doctor", "preview", "list_cache", "clear_cache",
    "train", "open_run", "list_runs", "merge", "Run", "Fold", "RunPredictions", "reproduce", "AudioClassifier",
    "load", "Classifier", "predict", "SoundPrediction",
    "similar", "SimilarSounds", "SimilarSound", "suggest", "Suggestions", "Suggestion",
    "export", "push", "serve_demo", "serve_api",
    "evaluate", "evaluate_events", "tune_events", "tune_run_events", "robustness", "suspects",
    "survey", "survey_status", "survey_forecast", "train_final", "compare", "report",
    "front_end", "augmentation", "Augmentation", "network", "optimizer", "learning_rate", "average", "FirstBatches",
    "ClipDataset", "batches", "scores", "losses", "metrics", "splits",
]
# fmt: on


def __getattr__(name: str) -> Any:
    # Loaded on first use, so that `import audiosurvey` and the command line's --help do not wait for torch.
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
