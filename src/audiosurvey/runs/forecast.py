"""Forecast of the time and memory of a run, measured in a few training steps on a copy."""

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

import psutil
import torch

from audiosurvey.data.batches.batches import Batch
from audiosurvey.model.network import Network
from audiosurvey.runs.consumption import peak_memory_bytes
from audiosurvey.runs.stages.stage import Stage
from audiosurvey.threads import one_thread
from audiosurvey.training.step import TrainStep, read_results

PutWeights = Callable[[Network], object]
PROBE_STEPS = 3
PROBE_SECONDS = 10.0
LISTENING_SECONDS = 0.2


@dataclass(frozen=True)
class Forecast:
    """One fold on this machine."""

    seconds_per_step: float
    """Per batch; `train.accum_iter` batches make a step of the optimizer."""
    steps: int
    """Batches of a fold; of an epoch, if only patience ends it."""
    evaluation_seconds: float
    """All evaluations of held-out clips in a fold."""
    peak_bytes: int
    """Highest memory use of the process so far, of the device on CUDA."""
    disk_bytes: int
    """Size of the fold in the run folder."""
    seconds_per_step_on_one: float | None = None
    """On one thread; None if not tried."""

    @property
    def seconds(self) -> float:
        return self.steps * self.seconds_per_step + self.evaluation_seconds

    @property
    def on_one_thread(self) -> float | None:
        """Seconds of a fold on one thread, assuming that evaluation scales as the steps do."""
        if self.seconds_per_step_on_one is None:
            return None
        return self.seconds * self.seconds_per_step_on_one / self.seconds_per_step


def forecast(
    stage: Stage,
    evaluated_clips: int,
    *,
    put_weights: PutWeights | None = None,
    steps: int = PROBE_STEPS,
    try_one_thread: bool = False,
) -> Forecast:
    """Trains a copy of the network for a few steps, and times the evaluation of one batch; nothing is kept.

    `evaluated_clips`: over all evaluations of a fold. `put_weights`: loads the weights that the network starts from; it
    takes as long without them, unless it contains a model file. `steps`: the fastest of so many counts, within 10
    seconds. `try_one_thread`: also on one thread, if other programs use the processors.
    """
    network = _build(stage, put_weights)
    weights_bytes = sum(value.numel() * min(4, value.element_size()) for value in network.state_dict().values())
    step = stage.step(copy.deepcopy(network))
    batches = stage.batches.epoch(1)
    probes = list(islice(batches, steps + 1))
    batches.close()
    # Checked before this process is busy itself.
    one_too = try_one_thread and _uses_threads(stage) and others_are_busy()
    times = _step_seconds(stage, step, probes)
    # The first step includes allocating memory; the fastest of the others is the least disturbed.
    seconds_per_batch = min(times[1:] or times)
    seconds_on_one = None
    if one_too:
        with one_thread():
            seconds_on_one = min(_step_seconds(stage, step, probes))
    clips = stage.train_clips[: stage.settings.batch_size]
    started = time.perf_counter()
    stage.scores(network, clips)
    evaluation = (time.perf_counter() - started) / len(clips) * evaluated_clips
    stage.accelerator.free_memory()
    averaged = stage.config.ema.decay or stage.config.swa.start is not None
    # Weights, two moments of the optimizer, the model, and an average.
    state = weights_bytes * (5 if averaged else 4)
    in_all = len(stage.batches) * (stage.settings.epochs or 1)
    peak = peak_memory_bytes(stage.accelerator.device)
    return Forecast(seconds_per_batch, in_all, evaluation, peak, state, seconds_on_one)


def _step_seconds(stage: Stage, step: TrainStep, probes: Sequence[Batch]) -> list[float]:
    """Seconds of each trial step, scaled to a full batch."""
    times: list[float] = []
    for index, batch in enumerate(probes):
        # Several processes step together: none may stop by its own clock.
        if len(times) > 1 and sum(times) > PROBE_SECONDS and stage.accelerator.num_processes == 1:
            break
        started = time.perf_counter()
        read_results([step([batch], epoch=1, step=index, lr=0.0)])
        times.append((time.perf_counter() - started) * stage.settings.batch_size / len(batch.clips))
    return times


def _uses_threads(stage: Stage) -> bool:
    on_cpu = stage.accelerator.device.type == "cpu"
    return on_cpu and stage.accelerator.num_processes == 1 and torch.get_num_threads() > 1


def others_are_busy() -> bool:
    """Whether other programs use more than a quarter of the processors; this process waits meanwhile."""
    return psutil.cpu_percent(interval=LISTENING_SECONDS) > 25


def _build(stage: Stage, put_weights: PutWeights | None) -> Network:
    network = stage.build()
    if put_weights is not None:
        put_weights(network)
    return network


def forecast_embedding(stage: Stage, put_weights: PutWeights | None = None) -> float:
    """Seconds to compute the embeddings of all clips once. `put_weights`: as in `forecast`."""
    network = _build(stage, put_weights)
    clips = stage.sounds.table.clips[: stage.settings.batch_size]
    times = []
    for _ in range(2):  # the first includes allocating memory
        started = time.perf_counter()
        stage.scores(network, clips)
        times.append(time.perf_counter() - started)
    return min(times) / len(clips) * len(stage.sounds.table.clips)
