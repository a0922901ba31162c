"""What differs between the recorded run and its reproduction, as far as results may depend on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from audiosurvey.config.root import Config
from audiosurvey.data.sounds import Sounds
from audiosurvey.errors import UserError
from audiosurvey.reproduction.record import Record
from audiosurvey.runs.background_recordings import checked_background
from audiosurvey.runs.evaluation.heldout import prepare
from audiosurvey.runs.listener import OpenBar
from audiosurvey.runs.plan import TrainOptions
from audiosurvey.runs.results.environment import environment
from audiosurvey.runs.resuming import fold_threads
from audiosurvey.runs.stages.starting import open_pretrained
from audiosurvey.threads import threads
from audiosurvey.training.accelerator import make_accelerator
from audiosurvey.version import __version__

_MEANS = {
    "python": "Python",
    "platform": "system",
    "machine": "kind of processor",
    "cpu_capability": "instruction set",
    "processors": "number of processors",
    "device": "device",
    "devices": "GPUs",
    "precision": "number format",
    "processes": "processes",
}
"""Keys of environment.json, besides threads and packages."""


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it was."""

    what: str
    recorded: Any
    """None: was not recorded."""
    now: Any


def look_for_differences(record: Record, config: Config, options: TrainOptions, bar: OpenBar) -> list[Difference]:
    """The same on this machine, with the data and the weights of the config. Raises UserError if these are missing."""
    with threads(options.threads or torch.get_num_threads()):
        accelerator = make_accelerator(options.device, config.precision, thaws=bool(config.model.thaw))
        now = environment(accelerator, options.jobs)
    init = open_pretrained(config)
    sounds = prepare(config.dataset, config.sample_rate, bar)
    background = checked_background(config, sounds)
    return find_differences(
        record, now, sounds, init.report.sha256 if init else None, options, background.hash if background else None
    )


def find_differences(
    record: Record,
    here: Mapping[str, Any],
    sounds: Sounds,
    init_sha256: str | None,
    options: TrainOptions,
    background_hash: str | None = None,
) -> list[Difference]:
    """`here`: the environment of this process; `init_sha256`: of the weights to begin with, None without any;
    `background_hash`: of the recordings of `augmentation.background`, None without any.

    Raises UserError if the data have other classes, or not the folds of the record.
    """
    _refuse_other_data(record, sounds, options.folds or ())
    found = [
        Difference("version", record.results.version, __version__),
        Difference("data hash", record.results.dataset.hash, sounds.store.hash),
    ]
    begun = record.environment
    if begun is None:
        found.append(Difference("packages and processor", None, None))
    else:
        packages = begun.get("packages", {})
        found += [Difference(name, packages.get(name), now) for name, now in here["packages"].items()]
        found += [Difference(title, begun.get(key), here[key]) for key, title in _MEANS.items()]
    if init_sha256 is not None:
        found.append(Difference("initial weights (SHA-256)", record.init_sha256, init_sha256))
    if background_hash is not None:
        recorded = (begun or {}).get("background_hash")
        found.append(Difference("hash of the background recordings", recorded, background_hash))
    return [one for one in found if one.recorded is None or one.recorded != one.now] + _threads(record, here, options)


def _threads(record: Record, here: Mapping[str, Any], options: TrainOptions) -> list[Difference]:
    if here["device"] != "cpu":
        return []
    folds = list(options.folds or ())
    now, then = fold_threads(folds, options.jobs, here["torch_threads"]), record.threads()
    found = [Difference(f"threads of fold {fold}", then[fold], now[fold]) for fold in folds if then[fold] != now[fold]]
    alike = {(one.recorded, one.now) for one in found}
    if len(found) > 1 and len(alike) == 1:
        return [Difference("threads of each fold" if len(found) == len(folds) else "threads", *alike.pop())]
    return found


def _refuse_other_data(record: Record, sounds: Sounds, folds: Sequence[int]) -> None:
    table = sounds.table
    at = f"{table.root}: not the data of {record.path}"
    mend = "set dataset.root to its place"
    if list(table.classes) != record.results.classes:
        raise UserError(f"{at}, because it has other classes; {mend}")
    if missing := [fold for fold in folds if fold not in table.folds]:
        raise UserError(f"{at}, because it has no fold {missing[0]}; {mend}")
    tested = {fold: sum(clip.fold == fold for clip in table.clips) for fold in folds}
    for row in record.results.folds:
        if row.fold in folds and not any(clip.side for clip in table.clips) and tested[row.fold] != row.clips:
            raise UserError(f"{at}, because fold {row.fold} has {tested[row.fold]} clips, not {row.clips}; {mend}")
