"""The table of contents: one function a command, its stages in order. The only module that knows every stage."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audiosurvey.config.loader import LoadedConfig
from audiosurvey.config.root import Config
from audiosurvey.data.dataset import DatasetConfig
from audiosurvey.data.sounds import Sounds, prepare_sounds
from audiosurvey.errors import UserError
from audiosurvey.evaluation.crossval import CrossValidation
from audiosurvey.evaluation.forecast import Forecast, forecast
from audiosurvey.evaluation.heldout import evaluate_model, evaluate_run
from audiosurvey.evaluation.results import Results
from audiosurvey.evaluation.runfolder import RunFolder
from audiosurvey.evaluation.tracking import check_trackers
from audiosurvey.model.describe import Description, describe
from audiosurvey.model.network import build_network
from audiosurvey.report.console import progress_bar
from audiosurvey.report.preview import write_preview
from audiosurvey.training.devices import make_accelerator

Say = Callable[[str], None]


def describe_model(config: Config, classes: int) -> Description:
    """The layer table of a config's network; nothing is computed and no data is needed."""
    import torch

    with torch.device("meta"):
        network = build_network(
            config.model,
            input_shape=config.input_shape,
            classes=classes,
            seed=0,
            standardize=config.mel_spectrogram.standardize,
        )
    return describe(network, config.input_shape)


def prepare(dataset: DatasetConfig, sample_rate: int) -> Sounds:
    """Table and store of a data set, with a progress bar while the store is built."""
    with progress_bar(f"preparing {dataset.name}") as moved:
        return prepare_sounds(dataset, sample_rate, progress=moved)


@dataclass(frozen=True)
class TrainOptions:
    """What stands on the command line of `train`, besides the config."""

    run_dir: Path | None = None
    folds: Sequence[int] | None = None
    resume: bool = False
    device: str = "auto"
    quiet: bool = False


def train(loaded: LoadedConfig, options: TrainOptions, say: Say) -> tuple[Results, Path]:
    """Pretrains where asked to, then cross-validates. Returns the results, and the run folder they are in."""
    config = loaded.config
    run = RunFolder(options.run_dir or _default_run_dir(loaded.name))
    run.refuse(config, resume=options.resume)
    check_trackers(config.tracking)
    accelerator = make_accelerator(options.device, config.precision)
    sounds = prepare(config.dataset, config.sample_rate)
    pretraining = config.pretrain_dataset
    other = prepare(pretraining, config.sample_rate) if pretraining else None
    folds = CrossValidation(
        run,
        config,
        loaded.resolved_yaml(),
        sounds,
        folds=options.folds,
        accelerator=accelerator,
        quiet=options.quiet,
    )
    description = describe_model(config, len(sounds.table.classes))
    folds.results |= {"parameters": description.parameters, "macs": description.macs}
    for line in _intentions(folds, description, sounds, run):
        say(line)
    with run.lock():
        # Another process may have finished folds between the first look and the lock.
        run.refuse(config, resume=options.resume)
        run.start(loaded.resolved_yaml())
        if folds.pending:
            expected = forecast(folds.stage(folds.pending[0]), _looked_at(folds))
            say(_forecast_line(expected, folds, config))
            if other is not None:
                folds.pretrain_on(other)
        for fold in folds.pending:
            folds.train(fold)
    return folds.results, run.path


def evaluate(target: Path, data: str | None, device: str, reverse: bool = False) -> Results:
    """A run: each fold's model on its own test fold. A model: on other data, clips that it was trained on marked."""
    if (target / "config.yaml").exists() and not (target / "model.json").exists():
        if data is not None:
            raise UserError(
                f"{target}: is a run, which brings its own data; --data goes with a model, such as fold-1/model"
            )
        return evaluate_run(RunFolder(target), prepare, device=device, reverse=reverse)
    if data is None:
        raise UserError(f"{target}: a model needs sounds to be evaluated on; give --data ROOT_OR_CONFIG")
    return evaluate_model(target, data, prepare, device=device, reverse=reverse)


def preview(loaded: LoadedConfig, clips: Sequence[str], epochs: Sequence[int], folder: Path) -> list[Path]:
    """Renders what augmentation makes of clips in epochs: WAV before and after, a picture, and what was drawn."""
    from audiosurvey.evaluation.rendering import render_clip

    config = loaded.config
    sounds = prepare(config.dataset, config.sample_rate)
    written: list[Path] = []
    for clip_id in clips or [sounds.table.clips[0].id]:
        for epoch in epochs:
            rendered = render_clip(config, sounds, clip_id, epoch)
            written += write_preview(folder, **rendered)
    return written


def _default_run_dir(name: str) -> Path:
    return Path("runs") / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"


def _looked_at(folds: CrossValidation) -> int:
    split = folds.splits[folds.pending[0]]
    return len(split.test) + len(split.validation)


def _intentions(folds: CrossValidation, description: Description, sounds: Sounds, run: RunFolder) -> list[str]:
    table, config = sounds.table, folds.config
    subset = f" ({table.subset})" if table.subset else ""
    lines = [
        f"data: {table.name}{subset}, {len(table.clips)} clips, {len(table.classes)} classes, {len(table.folds)} folds"
        + (f"; licence: {table.licence}" if table.licence else ""),
        f"network: {description.parameters:,} parameters, {description.macs / 1e6:,.1f} MMAC a clip of "
        f"{config.clip_samples / config.sample_rate:g} s, input {' x '.join(map(str, description.input_shape))}",
        f"protocol: selection {config.protocol.selection}; folds to train: "
        + (", ".join(map(str, folds.pending)) or "none, all are done"),
        f"run folder: {run.path}",
    ]
    if config.protocol.selection == "validation":
        lines.append("a patience is set, so the next fold, cyclically, is held out to choose the epoch by")
    if config.protocol.selection == "test":
        lines.append("optimistic: the epoch is chosen on the test fold itself")
    lines += [f"note: {note}" for note in table.notes]
    lines += [f"skipped: {bad.id}: {bad.reason}" for bad in sounds.store.skipped]
    return lines


def _forecast_line(expected: Forecast, folds: CrossValidation, config: Config) -> str:
    number = len(folds.pending)
    memory = f"memory about {expected.peak_bytes / 1e9:.1f} GB, disk {expected.disk_bytes * number / 1e6:.0f} MB"
    precision = f"{folds.accelerator.device.type}, {folds.accelerator.mixed_precision.replace('no', 'fp32')}"
    if not config.train.epochs:
        epoch = _duration(expected.seconds)
        return f"about {epoch} an epoch on {precision}; the patience of {config.train.patience} ends it; {memory}"
    return f"about {_duration(expected.seconds)} a fold, {_duration(expected.seconds * number)} in all on {precision}; {memory}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def dump_description(description: Description) -> dict[str, Any]:
    """The form of `describe --json`."""
    return {
        "parameters": description.parameters,
        "macs": description.macs,
        "input_shape": list(description.input_shape),
        "classes": description.classes,
        "layers": [
            {
                "name": row.name,
                "output_shape": list(row.output_shape),
                "parameters": row.parameters,
                "macs": row.macs,
                "receptive_field": list(row.receptive_field),
            }
            for row in description.layers
        ],
    }
