"""What a run is about to do: counts, and after a few probe steps on a copy, time, memory and disk."""

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import psutil
import torch

from audiosurvey.data.batches.batches import Batch
from audiosurvey.runs.stages.stage import Stage
from audiosurvey.threads import one_thread
from audiosurvey.training.step import TrainStep, read_results

PROBE_STEPS = 3
PROBE_SECONDS = 10.0
LISTENING_SECONDS = 0.2


@dataclass(frozen=True)
class Forecast:
    """Measured on this machine, moments before the run."""

    seconds_per_step: float
    """Of a batch, of which `train.accum_iter` make a step of the optimizer."""
    steps: int
    """Batches of one fold; of one epoch where only patience ends it."""
    evaluation_seconds: float
    """Looking at the held-out clips, over all epochs of a fold."""
    peak_bytes: int
    """Memory of the process (of the device on CUDA) at its highest so far."""
    disk_bytes: int
    """What a fold leaves in the run folder."""
    seconds_per_step_on_one: float | None = None
    """The same on one thread; None where that was not tried."""

    @property
    def seconds(self) -> float:
        return self.steps * self.seconds_per_step + self.evaluation_seconds

    @property
    def on_one_thread(self) -> float | None:
        """Seconds of a fold on one thread; evaluation is taken to change as the steps do."""
        if self.seconds_per_step_on_one is None:
            return None
        return self.seconds * self.seconds_per_step_on_one / self.seconds_per_step


def forecast(stage: Stage, evaluated_clips: int, *, try_one_thread: bool = False) -> Forecast:
    """Takes a few training steps on a copy of the network, and times evaluation by one batch; nothing is kept.

    `evaluated_clips` are those of all looks of a fold. `try_one_thread`: where other programs use the processors,
    takes the steps on one thread too.
    """
    network = stage.build()
    parameters = sum(value.numel() for value in network.state_dict().values())
    step = stage.step(copy.deepcopy(network))
    batches = stage.batches.epoch(1)
    probes = list(islice(batches, PROBE_STEPS + 1))
    batches.close()
    # Asked before this process itself is busy.
    one_too = try_one_thread and _threads_compete(stage) and others_are_busy()
    times = _step_seconds(stage, step, probes)
    # The first step pays for memory and caches; the fastest of the rest is the least disturbed.
    seconds_per_batch = min(times[1:] or times)  # one batch may be all there is
    seconds_on_one = None
    if one_too:
        with one_thread():
            seconds_on_one = min(_step_seconds(stage, step, probes))
    epochs = stage.settings.epochs or 1
    steps = len(stage.batches) * epochs
    clips = stage.train_clips[: stage.settings.batch_size]
    started = time.perf_counter()
    stage.scores(network, clips)
    per_clip = (time.perf_counter() - started) / len(clips)
    stage.accelerator.free_memory()
    averaged = stage.config.ema.decay or stage.config.swa.start is not None
    state = 4 * parameters * (3 + (1 if averaged else 0) + 1)
    looks = per_clip * evaluated_clips
    return Forecast(seconds_per_batch, steps, looks, _peak_bytes(stage), state, seconds_on_one)


def _step_seconds(stage: Stage, step: TrainStep, probes: Sequence[Batch]) -> list[float]:
    """Seconds of each step of trial, for a full batch."""
    times: list[float] = []
    for index, batch in enumerate(probes):
        # Processes step together, so that none of them may stop by its own clock.
        if len(times) > 1 and sum(times) > PROBE_SECONDS and stage.accelerator.num_processes == 1:
            break
        started = time.perf_counter()
        read_results([step([batch], epoch=1, step=index, lr=0.0)])
        # A full batch's worth, though the probe may have met a short one.
        times.append((time.perf_counter() - started) * stage.settings.batch_size / len(batch.clips))
    return times


def _threads_compete(stage: Stage) -> bool:
    """Whether steps are taken by several threads of this process alone."""
    on_cpu = stage.accelerator.device.type == "cpu"
    return on_cpu and stage.accelerator.num_processes == 1 and torch.get_num_threads() > 1


def others_are_busy() -> bool:
    """Whether other programs use more than a quarter of this machine's processors; this process waits meanwhile."""
    return psutil.cpu_percent(interval=LISTENING_SECONDS) > 25


def forecast_embedding(stage: Stage) -> float:
    """Seconds in which the network looks once at every clip, by one batch of them after another."""
    network = stage.build()
    clips = stage.sounds.table.clips[: stage.settings.batch_size]
    times = []
    for _ in range(2):
        started = time.perf_counter()
        stage.scores(network, clips)
        times.append(time.perf_counter() - started)
    # The first pays for memory and caches.
    return min(times) / len(clips) * len(stage.sounds.table.clips)


def _peak_bytes(stage: Stage) -> int:
    device = stage.accelerator.device
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    memory = psutil.Process().memory_info()
    # Windows counts the peak itself; elsewhere what is in use after the probe is nearly all there will be.
    return getattr(memory, "peak_wset", memory.rss)
