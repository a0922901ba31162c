"""The table of contents: one function a command, its stages in order. The only module that knows every stage."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from audiosurvey.artefact.exported import is_exported
from audiosurvey.artefact.folder import find_model, load_artefact
from audiosurvey.artefact.hub import Pushed
from audiosurvey.artefact.hub import push as push_model
from audiosurvey.artefact.load import load
from audiosurvey.config.checks.sketch import sketch
from audiosurvey.config.continuing import continued
from audiosurvey.config.loader import LoadedConfig, load_config
from audiosurvey.config.root import Config
from audiosurvey.data.dataset import DatasetConfig, load_table
from audiosurvey.data.download.datasets import PUBLISHED
from audiosurvey.data.layout import TABLES, dataset_at, has_class_folders, read_bare
from audiosurvey.data.sets.folder import AUDIO_EXTENSIONS
from audiosurvey.data.sounds import Sounds, prepare_sounds
from audiosurvey.data.table import Table
from audiosurvey.doctor.audit import Diagnosis, audit_dataset, audit_table
from audiosurvey.doctor.stray_files import find_stray_files
from audiosurvey.errors import UserError
from audiosurvey.export.export import ExportResult, check_suffix
from audiosurvey.export.export import export as export_model
from audiosurvey.export.formats import SUFFIXES, Format
from audiosurvey.model.describe import Description, describe
from audiosurvey.model.weights.released import on_disk
from audiosurvey.predict.inputs import open_sources
from audiosurvey.predict.options import PredictOptions
from audiosurvey.predict.prediction import PredictionSummary, predict_sounds
from audiosurvey.predict.prediction_log import model_digest, open_prediction_log
from audiosurvey.predict.sources import SoundSource
from audiosurvey.predict.writers import PREDICTION_WRITERS, open_output
from audiosurvey.report.console import progress_bar, share_bar
from audiosurvey.report.preview import preview_files, write_preview
from audiosurvey.runs.cross_validation import CrossValidation
from audiosurvey.runs.evaluation.conditions import measure_conditions
from audiosurvey.runs.evaluation.heldout import evaluate_model, evaluate_run
from audiosurvey.runs.executors.side_by_side import Share, refuse_jobs, shares, train_side_by_side
from audiosurvey.runs.forecast import Forecast, forecast, forecast_embedding
from audiosurvey.runs.job import clips_to_look_at
from audiosurvey.runs.results.results import Results
from audiosurvey.runs.results.run_folder import RunFolder, environment
from audiosurvey.runs.resuming import note_changes
from audiosurvey.runs.stages.final import FinalModel
from audiosurvey.runs.stages.pretraining import check_length, outside
from audiosurvey.runs.stages.starting import Start, open_start
from audiosurvey.targets import check_target
from audiosurvey.threads import threads
from audiosurvey.training.allocator import keep_freed_memory
from audiosurvey.training.devices import check_device, make_accelerator, number_format
from audiosurvey.training.precision import Precision, pick_device

Say = Callable[[str], None]


def describe_model(config: Config, classes: int) -> Description:
    """The layer table of a config's network; nothing is computed and no data is needed."""
    return describe(sketch(config, classes), config.input_shape)


def prepare(dataset: DatasetConfig, sample_rate: int, *, divide: bool = True, quiet: bool = False) -> Sounds:
    """Table and store of a data set, with a progress bar while the store is built; `divide`: with folds."""
    with nullcontext() if quiet else progress_bar(f"preparing {dataset.name}") as moved:
        return prepare_sounds(dataset, sample_rate, divide=divide, progress=moved)


@dataclass(frozen=True)
class TrainOptions:
    """What stands on the command line of `train`, besides the config."""

    run_dir: Path | None = None
    folds: Sequence[int] | None = None
    resume: bool = False
    device: str = "auto"
    quiet: bool = False
    final: bool = False
    """Besides the folds, one model trained on all of them."""
    jobs: int = 1
    """How many folds are trained side by side."""
    threads: int | None = None
    """Processor threads, which folds side by side share; None: as many as torch takes by itself."""


def train(loaded: LoadedConfig, options: TrainOptions, say: Say) -> tuple[Results, Path] | None:
    """Pretrains where asked to, then cross-validates. Returns the results, and the run folder they are in.

    Of several processes (torchrun) the main one alone looks at the run folder, writes into it, speaks, and returns
    something; each prepares the data, which one of them then does for all.
    """
    with threads(options.threads or torch.get_num_threads()):
        return _train(loaded, options, say)


def _train(loaded: LoadedConfig, options: TrainOptions, say: Say) -> tuple[Results, Path] | None:
    config = loaded.config
    loaded.refuse_obstacles()
    accelerator = make_accelerator(options.device, _precision(config, options), thaws=bool(config.model.thaw))
    loaded.refuse_device(accelerator.device.type)
    if accelerator.device.type == "cpu":
        keep_freed_memory()
    main = accelerator.is_main_process
    refuse_jobs(options.jobs, config, accelerator)
    run = RunFolder(_agreed(options.run_dir or _default_run_dir(loaded.name)))
    if options.resume:
        loaded = continued(loaded, run.config_path)
        config = loaded.config
    if main:
        run.refuse(config, resume=options.resume)
    quiet = options.quiet or not main
    start = _start(config, quiet=quiet)
    sounds = prepare(config.dataset, config.sample_rate, quiet=quiet)
    pretraining = config.pretrain_dataset
    other = prepare(pretraining, config.sample_rate, quiet=quiet) if pretraining else None
    folds = CrossValidation(
        run,
        config,
        loaded.resolved_yaml(),
        sounds,
        folds=options.folds,
        accelerator=accelerator,
        start=start,
        quiet=quiet,
    )
    description = describe_model(config, len(sounds.table.classes))
    folds.results |= {"parameters": description.parameters, "macs": description.macs}
    if other is not None:
        check_length(config, other)
    with run.lock() if main else nullcontext():
        if main:
            # Another process may have finished folds between the first look and the lock.
            run.refuse(config, resume=options.resume)
            run.start(loaded.resolved_yaml(), accelerator, sounds.store.hash, options.jobs)
        folds.refresh()
        if main:
            if folds.pending or (options.final and FinalModel(folds).pending):
                now = environment(accelerator, options.jobs)
                for line in note_changes(run, now, list(folds.splits), folds.pending):
                    say(line)
            for line in _intentions(folds, description, other):
                say(line)
        pending = folds.pending
        if pending:
            line = _expected(folds, options.jobs)
            if main:
                say(line)
            if other is not None:
                folds.pretrain_on(other)
        if options.jobs > 1 and pending:
            folds.make_ready(pending[0])
            train_side_by_side(folds, options.jobs, options.device)
        else:
            for fold in pending:
                folds.probe(fold) if config.train.head_only else folds.train(fold)
        if options.final and (final := FinalModel(folds)).pending:
            if main:
                say(f"final model: {len(final.clips)} clips, all folds; its score is that of the folds")
            if other is not None and folds.pretrained is None:
                folds.pretrain_on(other)
            final.train()
        if main and not pending:
            folds.draw()
    return (folds.results, run.path) if main else None


def evaluate(
    target: Path, data: str | None, device: str, reverse: bool = False, *, conditions: bool = False
) -> Results:
    """A run: each fold's model on its own test fold. A model: on other data, clips that it was trained on marked.

    `conditions`: of a run, also on test clips changed as other recorders would have brought them.
    """
    if conditions and data is not None:
        raise UserError("--conditions: goes with a run, whose folds have test clips of their own; leave --data out")
    if (target / "config.yaml").exists() and not (target / "model.json").exists():
        if data is not None and not (target / "model" / "model.json").exists():
            raise UserError(
                f"{target}: is a run, which brings its own data; --data goes with a model, such as fold-1/model"
            )
        if data is not None:
            return evaluate_model(target, data, prepare, device=device, reverse=reverse)
        results = evaluate_run(RunFolder(target), prepare, device=device, reverse=reverse)
        if conditions:
            with progress_bar("changed test clips") as moved:
                results["conditions"] = measure_conditions(RunFolder(target), prepare, device=device, progress=moved)
        return results
    if conditions:
        raise UserError(f"{target}: --conditions goes with a run folder, and this is not one")
    if is_exported(target):
        raise UserError(f"{target}: is named as an exported file is; give the model folder that it was made from")
    find_model(target)
    if data is None:
        raise UserError(f"{target}: a model needs sounds to be evaluated on; give --data ROOT_OR_CONFIG")
    return evaluate_model(target, data, prepare, device=device, reverse=reverse)


def export(
    model: Path,
    format: Format,
    *,
    output: Path | None = None,
    int8: bool = False,
    calibration: Path | None = None,
    force: bool = False,
) -> ExportResult:
    """One file for another runtime, beside the model where no `output` is given, and a word of it in the card."""
    if is_exported(model):
        raise UserError(f"{model}: is named as an exported file is; give the model folder that it was made from")
    folder = find_model(model)
    name = f"model{'.int8' if int8 else ''}{SUFFIXES[format]}"
    check_suffix(output or folder / name, format)
    # The file that a model folder keeps beside its weights is made anew as often as one likes.
    check_target("--output", output or folder / name, force=force or output is None, own_folder=folder)
    loaded = load_artefact(folder)
    return export_model(
        loaded, output or folder / name, format, int8=int8, calibration=calibration, card=folder / "README.md"
    )


def push(model: Path, repo: str, private: bool) -> Pushed:
    """Publishes a model on the Hugging Face Hub, where its golden clips give what they gave when it was made."""
    return push_model(model, repo, private=private)


def predict(path: str, words: Sequence[str], options: PredictOptions, say: Say) -> PredictionSummary:
    """What is heard in sounds, written to a file or to stdout. `words`: paths, `-`, or `--mic`."""
    check_device(options.device)
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    model = load(path, trust=options.trust)
    model.to(options.device)
    how, postprocessing = options.windowing(), options.postprocessing(model)
    began = time.monotonic()
    with open_sources(words, options.pcm(), whole=options.whole) as sources:
        options.check_sources(sources)
        options.check_target(Path(path), sources)
        with open_prediction_log(
            options.output, model_digest(model, Path(path)), how, sources, options.restart
        ) as journal:
            if journal is not None and journal.num_done:
                say(f"going on: {journal.num_done} of {len(sources)} sounds were scored before")
            with _progress(sources) as moved, open_output(options.output) as file:
                knows_range = model.training_range is not None
                writer = PREDICTION_WRITERS[options.format](
                    file, postprocessing, model.labels, options.scores, knows_range
                )
                outcome = predict_sounds(model, sources, how, postprocessing, writer, journal, moved)
    for line in _outcome_lines(outcome, time.monotonic() - began):
        say(line)
    return outcome


def preview(
    loaded: LoadedConfig, clips: Sequence[str], epochs: Sequence[int], folder: Path, *, force: bool = False
) -> list[Path]:
    """Renders what augmentation makes of clips in epochs: WAV before and after, a picture, and what was drawn."""
    from audiosurvey.runs.rendering import render_clip

    config = loaded.config
    sounds = prepare(config.dataset, config.sample_rate)
    written: list[Path] = []
    inputs = [clip.path for clip in sounds.table.clips]
    for clip_id in clips or [sounds.table.clips[0].id]:
        for file in (file for epoch in epochs for file in preview_files(folder, clip_id, epoch) if folder.is_dir()):
            check_target("--output", file, inputs=inputs, force=force)
    for clip_id in clips or [sounds.table.clips[0].id]:
        for epoch in epochs:
            rendered = render_clip(config, sounds, clip_id, epoch)
            written += write_preview(folder, **rendered)
    return written


def audit_inputs(data: str, overrides: Sequence[str] = ()) -> list[Path]:
    """The files that the audit of `data` reads, which its own output must not replace."""
    _refuse_one_sound(data)
    path = Path(data)
    if path.is_dir() or (path.is_file() and path.suffix.lower() in TABLES):
        dataset = dataset_at(path)
        if dataset.name == "folder" and not has_class_folders(path):
            return [clip.path for clip in read_bare(path).clips]
    else:
        dataset = load_config(data, overrides).config.dataset
    everything = {"classes": None, "exclude_classes": None, "ignore": None, "subset": None}
    clips = load_table(dataset.model_copy(update=everything), divide=False).clips
    named = [path, dataset.resolved_ignore()]
    if dataset.name == "csv":
        named.append(dataset.resolved_table())
    if (known := PUBLISHED.get(dataset.name)) is not None:
        named.append(dataset.resolved_root() / known.table)
    return [*(place for place in named if place is not None), *(clip.path for clip in clips)]


def doctor(data: str, overrides: Sequence[str] = (), *, quiet: bool = False) -> Diagnosis:
    """The audit of a data set: a config, the root of a data set of known layout, a CSV, or a bare folder of sounds."""
    _refuse_one_sound(data)
    path = Path(data)
    found = path.is_dir() or (path.is_file() and path.suffix.lower() in TABLES)
    if found and overrides:
        raise UserError(f"{data}: is no config, so --set sets nothing; give a config, or leave --set out")
    with nullcontext() if quiet else progress_bar("listening") as moved:
        if not found:
            config = load_config(data, overrides).config
            _, top_hz = config.mel_spectrogram.limits_hz(config.sample_rate)
            return audit_dataset(config.dataset, top_hz=top_hz, progress=moved)
        dataset = dataset_at(path)
        if dataset.name == "folder" and not has_class_folders(path):
            bare = read_bare(path)
            return audit_table(bare, list(find_stray_files(bare)), progress=moved)
        return audit_dataset(dataset, progress=moved)


def _refuse_one_sound(data: str) -> None:
    if Path(data).is_file() and Path(data).suffix.lower() in AUDIO_EXTENSIONS:
        raise UserError(f"{data}: is one sound; give the folder of a data set, a table or a config")


def _progress(sources: Sequence[SoundSource]) -> AbstractContextManager[Callable[[float], None]]:
    if any(source.live for source in sources):
        return nullcontext(lambda share: None)
    return share_bar("predicting")


def _outcome_lines(outcome: PredictionSummary, seconds: float) -> list[str]:
    lines = []
    if outcome.sounds > 1 or outcome.seconds > 60:
        hours = outcome.scored_seconds / 3600
        pace = f", {60 * hours / seconds:.3g} h a minute" if hours > 0 else ""
        number = f"{outcome.sounds} sounds" if outcome.sounds > 1 else "1 sound"
        lines.append(f"{number}, {_duration(outcome.seconds)} of sound, in {_duration(seconds)}{pace}")
    if outcome.noted:
        sounds = f"{len(outcome.noted)} of {outcome.sounds} sounds"
        answers = f" ({outcome.noted_answers} of {outcome.answers} answers)" if outcome.answers > outcome.sounds else ""
        lines.append(f"{sounds}{answers} lie outside what the model was trained on: see their notes")
    if outcome.failures:
        lines.append(f"{len(outcome.failures)} of {outcome.sounds} failed:")
        lines += [f"  {failure.name}: {failure.reason}" for failure in outcome.failures]
    return lines


def _default_run_dir(name: str) -> Path:
    return Path("runs") / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"


def _precision(config: Config, options: TrainOptions) -> Precision:
    """`auto` is decided once a run: one that goes on keeps what it began with, also on a machine fast in another."""
    if config.precision != "auto" or not options.resume or options.run_dir is None:
        return config.precision
    check_device(options.device)
    return RunFolder(options.run_dir).precision_on(pick_device(options.device)) or "auto"


def _agreed(path: Path) -> Path:
    """The main process's path, in all of them: clocks, and so names with a time in them, may differ."""
    from accelerate.utils import broadcast_object_list

    return Path(broadcast_object_list([path])[0])


def _start(config: Config, *, quiet: bool) -> Start | None:
    """What `model.init` names, with a progress bar where it has to be fetched."""
    init = config.model.init
    fetched = init is not None and on_disk(init) is None
    with progress_bar(f"fetching {init}") if fetched and not quiet else nullcontext() as moved:
        return open_start(config, moved)


def _intentions(folds: CrossValidation, description: Description, other: Sounds | None) -> list[str]:
    """What is about to be done, a line for each thing."""
    table, config = folds.sounds.table, folds.config
    lines = [
        f"data: {_about(table)}, {len(table.folds)} folds" + _licence(table),
        f"network: {description.parameters:,} parameters, {description.macs / 1e6:,.1f} MMAC a clip of "
        f"{config.clip_samples / config.sample_rate:g} s, input {' x '.join(map(str, description.input_shape))}",
    ]
    if folds.start is not None:
        lines += folds.start.lines
    if other is not None:
        kept, left_out = outside(other, folds.sounds)
        also = f"; left out, being in {table.name} too: {len(left_out)} clips" if left_out else ""
        lines.append(f"pretraining: {_about(kept)}{also}{_licence(kept)}")
    lines += [
        f"protocol: selection {config.protocol.selection}; folds to train: "
        + (", ".join(map(str, folds.pending)) or "none, all are done"),
        f"run folder: {folds.run.path}",
    ]
    if config.protocol.selection == "validation":
        lines.append("the next fold, cyclically, is held out of training to choose the epoch by")
    if config.protocol.selection == "test":
        lines.append("optimistic: the epoch is chosen on the test fold itself")
    for sounds in (folds.sounds, other) if other is not None else (folds.sounds,):
        lines += [f"note: {note}" for note in sounds.table.notes]
        lines += [f"skipped: {bad.id}: {bad.reason}" for bad in sounds.store.skipped]
    return lines


def _about(table: Table) -> str:
    subset = f" ({table.subset})" if table.subset else ""
    return f"{table.name}{subset}, {len(table.clips)} clips, {len(table.classes)} classes"


def _licence(table: Table) -> str:
    return f"; licence: {table.licence}" if table.licence else ""


def _expected(folds: CrossValidation, jobs: int) -> str:
    """How long it will take, after a few steps of trial, with as many threads as the first fold is going to have."""
    fold = folds.pending[0]
    stage = folds.stage(fold)
    if folds.config.train.head_only:
        seconds, clips = forecast_embedding(stage), len(folds.sounds.table.clips)
        once = f"about {_duration(seconds)} to look at {clips} clips once on {folds.accelerator.device.type}, fp32"
        return f"{once}; then seconds a fold"
    plan = shares(folds, jobs)
    looks = clips_to_look_at(folds.config, folds.splits[fold], folds.config.train.epochs or 1)
    with threads(plan[0].threads):
        expected = forecast(stage, looks, try_one_thread=plan[0].beside == 1)
    return _forecast_line(expected, folds, plan)


def _forecast_line(expected: Forecast, folds: CrossValidation, plan: Sequence[Share]) -> str:
    beside = max(len(share.folds) for share in plan)
    # Where they share a device, or are more than its threads, they wait for each other.
    on_cpu = folds.accelerator.device.type == "cpu"
    wait = max(1.0, beside * plan[0].threads / torch.get_num_threads()) if on_cpu else float(beside)
    expected = replace(
        expected,
        seconds_per_step=expected.seconds_per_step * wait,
        evaluation_seconds=expected.evaluation_seconds * wait,
        # The process that waits for them has what the steps of trial took.
        peak_bytes=expected.peak_bytes * (beside + 1 if beside > 1 else 1),
    )
    number, train = len(folds.pending), folds.config.train
    memory = f"memory about {_size(expected.peak_bytes)}, disk {_size(expected.disk_bytes * number)}"
    where = f"{folds.accelerator.device.type}, {number_format(folds.accelerator)}"
    if beside > 1:
        where += f", {beside} folds side by side"
    busy = _on_one_thread(expected, "a fold" if train.epochs else "an epoch")
    if not train.epochs:
        ends = f"the patience of {train.patience} ends it"
        return f"about {_duration(expected.seconds)} an epoch on {where}; {ends}; {memory}{busy}"
    total = f", {_duration(expected.seconds * len(plan))} in all" if number > 1 else ""
    return f"about {_duration(expected.seconds)} a fold{total} on {where}; {memory}{busy}"


def _on_one_thread(expected: Forecast, of: str) -> str:
    """How long one thread would take, where that was tried."""
    alone = expected.on_one_thread
    if alone is None:
        return ""
    line = f"; other programs use this machine: one thread would take about {_duration(alone)} {of}"
    return line + (", which is quicker: give --threads 1" if alone < expected.seconds else ", which is not quicker")


def _size(count: int) -> str:
    for unit, scale in (("GB", 1e9), ("MB", 1e6)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count / 1e3:.0f} kB"


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
