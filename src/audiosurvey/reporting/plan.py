"""The plan of a run in lines: its data, network and protocol, and how long it will take."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from audiosurvey.data.table import Table, clips_by_class
from audiosurvey.errors import some_of
from audiosurvey.model.describe import Description
from audiosurvey.pages.units import duration, size
from audiosurvey.runs.advice import advice
from audiosurvey.runs.executors.side_by_side import Round
from audiosurvey.runs.forecast import Forecast, forecast, forecast_embedding
from audiosurvey.runs.job import clips_to_evaluate
from audiosurvey.runs.more import schedule_line
from audiosurvey.runs.plan import RunPlan
from audiosurvey.runs.stages.final import final_clips
from audiosurvey.runs.stages.pretraining import outside
from audiosurvey.threads import threads
from audiosurvey.training.accelerator import number_format

_SHOWN_CLASSES = 12
_WORTH_A_CHOICE_S = 5
"""Seconds of a fold, or an epoch, below which the number of threads does not matter."""


def plan_lines(plan: RunPlan) -> list[str]:
    """What is about to be done, one line per subject."""
    context, config, description = plan.context, plan.config, plan.experiment.description
    table = context.sounds.table
    lines = [
        f"data: {_about(table)}, {len(table.folds)} folds" + _licence(table),
        f"network: {description.parameters:,} parameters, {_macs(description)} a clip of "
        f"{config.clip_samples / config.sample_rate:g} s, input {' x '.join(map(str, description.input_shape))}",
    ]
    lines.insert(1, f"classes: {_sizes(table)}")
    lines += [f"note: {note}" for note in description.notes]
    if context.init is not None:
        lines += context.init.lines
    if plan.experiment.pretrain_on is not None:
        kept, left_out = outside(plan.experiment.pretrain_on, context.sounds)
        also = f"; {len(left_out)} clips left out because {table.title} contains them too" if left_out else ""
        lines.append(f"pretraining: {_about(kept)}{also}{_licence(kept)}")
    if parent := plan.parent:
        lines.append(schedule_line(config, parent))
    lines += [
        f"protocol: selection {config.protocol.selection}; folds to train: "
        + (", ".join(map(str, plan.pending)) or "none, all are done"),
        f"run folder: {plan.folder.path}",
    ]
    if config.protocol.selection == "validation":
        lines.append("the next fold (cyclically) is held out of training to choose the epoch")
    if config.protocol.selection == "test":
        lines.append("optimistic: the epoch is chosen on the test fold itself")
    split = plan.splits[plan.pending[0]] if plan.pending and not plan.parent and plan.quick is None else None
    lines += [f"note: {line}" for line in (advice(config, context.sounds, split) if split else ())]
    for sounds in filter(None, (context.sounds, plan.experiment.pretrain_on)):
        lines += [f"note: {note}" for note in sounds.table.notes]
        lines += [f"skipped: {bad.id}: {bad.reason}" for bad in sounds.store.skipped]
    return lines


def forecast_line(plan: RunPlan) -> str:
    """How long the pending folds will take, after a few training steps with the threads that the first will have."""
    fold, config, clips = plan.pending[0], plan.config, len(plan.context.sounds.table.clips)
    device = plan.context.accelerator.device.type
    stage = plan.context.stage(config, plan.splits[fold].train, fold)
    if config.train.head_only:
        seconds = forecast_embedding(stage, plan.context.put_weights)
        once = f"about {duration(seconds)} to look at {clips} clips once on {device}, fp32"
        return f"{once}; then seconds a fold"
    rounds = plan.rounds
    epochs = (config.train.epochs or 1) - (plan.parent.epochs if plan.parent else 0)
    evaluated = clips_to_evaluate(config, plan.splits[fold], epochs)
    with threads(rounds[0].threads):
        expected = forecast(
            stage, evaluated, put_weights=plan.context.put_weights, try_one_thread=rounds[0].planned == 1
        )
    expected = replace(expected, steps=len(stage.batches) * epochs)
    beside = max(len(members.folds) for members in rounds)
    where = f"{device}, {number_format(plan.context.accelerator)}"
    expected = _slowed(expected, beside, rounds[0].threads, on_cpu=device == "cpu")
    return _in_words(expected, rounds, where, config.train.epochs, config.train.patience)


def final_line(plan: RunPlan) -> str:
    clips = len(final_clips(plan.context.config, plan.context.sounds.table))
    return f"final model: {clips} clips, all folds; its expected score is that of the fold models"


def _slowed(expected: Forecast, beside: int, threads_each: int, *, on_cpu: bool) -> Forecast:
    """The forecast of a fold that is trained beside others: they wait for each other on a device, and on a CPU if they
    have more threads than it."""
    wait = max(1.0, beside * threads_each / torch.get_num_threads()) if on_cpu else float(beside)
    return replace(
        expected,
        seconds_per_step=expected.seconds_per_step * wait,
        evaluation_seconds=expected.evaluation_seconds * wait,
        # The process that waits for the others keeps the memory of the trial steps.
        peak_bytes=expected.peak_bytes * (beside + 1 if beside > 1 else 1),
    )


def _in_words(expected: Forecast, rounds: Sequence[Round], where: str, epochs: int | None, patience: int | None) -> str:
    number, beside = sum(len(members.folds) for members in rounds), max(len(members.folds) for members in rounds)
    memory = f"memory about {size(expected.peak_bytes)}, disk {size(expected.disk_bytes * number)}"
    where += f", {beside} folds side by side" if beside > 1 else ""
    busy = one_thread_words(expected, "a fold" if epochs else "an epoch")
    took = duration(expected.seconds)
    if not epochs:
        return f"about {took} an epoch on {where}; the patience of {patience} ends it; {memory}{busy}"
    total = f", {duration(expected.seconds * len(rounds))} in total" if number > 1 else ""
    return f"about {took} a fold{total} on {where}; {memory}{busy}"


def one_thread_words(expected: Forecast, of: str) -> str:
    """How long one thread would take, if that was tried."""
    alone = expected.on_one_thread
    if alone is None or max(alone, expected.seconds) < _WORTH_A_CHOICE_S:
        return ""
    line = f"; other programs use this machine: one thread would take about {duration(alone)} {of}"
    return line + (", which is quicker: give --threads 1" if alone < expected.seconds else ", which is not quicker")


def _macs(description: Description) -> str:
    return "unknown MACs" if description.whole_macs is None else f"{description.whole_macs / 1e6:,.1f} MMAC"


def _about(table: Table) -> str:
    return f"{table.title}, {len(table.clips)} clips, {len(table.classes)} classes"


def _sizes(table: Table) -> str:
    """`dog 40, cat 12 and 3 more`: a root one level off shows in the names."""
    by_class = clips_by_class(table.clips, len(table.classes))
    named = [f"{name} {len(clips)}" for name, clips in zip(table.classes, by_class, strict=True)]
    return some_of(named, _SHOWN_CLASSES)


def _licence(table: Table) -> str:
    return f"; licence: {table.licence}" if table.licence else ""
