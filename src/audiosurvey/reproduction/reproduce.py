"""Trains a recorded run again, and compares the results with those recorded."""

from pathlib import Path

from audiosurvey.config.loader import Overrides
from audiosurvey.reproduction.differences import look_for_differences
from audiosurvey.reproduction.record import ReproduceOptions, read_record
from audiosurvey.reproduction.verdict import Reproduction, judge
from audiosurvey.reproduction.wording import difference_lines
from audiosurvey.runs.train import TrainListener, train


def reproduce(
    path: Path, overrides: Overrides, options: ReproduceOptions, listener: TrainListener = TrainListener()
) -> Reproduction:
    """Trains the run of a run folder or of a results.json again in a new folder.

    `overrides` may change paths and speed only. A folder that holds a part of the reproduction is continued.
    """
    record = read_record(path)
    loaded, settings = record.load(overrides), record.train_options(options)
    differences = look_for_differences(record, loaded.config, settings, listener.bar)
    for line in difference_lines(differences):
        listener.say(line)
    trained = train(loaded, settings, listener)
    return judge(record, trained.folder, trained.results, differences, settings.folds)
