"""Training of a run whose models also know how to find events in long recordings."""

from audiosurvey.config.loader import LoadedConfig
from audiosurvey.detection.run_settings import settle_run
from audiosurvey.runs.plan import TrainOptions, TrainResult
from audiosurvey.runs.results.run_folder import RunFolder
from audiosurvey.runs.train import TrainListener, stoppable, train
from audiosurvey.training.devices import is_first_process


def train_run(loaded: LoadedConfig, options: TrainOptions, listener: TrainListener = TrainListener()) -> TrainResult:
    """As `runs.train.train`; with a final model, detection settings are then chosen for the models that have none.

    Of several processes (torchrun), one chooses them. `options.detection` switches this off.
    """
    trained = train(loaded, options, listener)
    if options.final and options.detection and is_first_process():
        with stoppable(trained.folder):
            settle_run(RunFolder(trained.folder), device=options.device, threads=options.threads, listener=listener)
    return trained
