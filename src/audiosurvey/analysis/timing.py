"""Time of models per clip on one core of this machine: all models in turn within one run, so that they compare."""

import platform
import socket
import statistics
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from audiosurvey.analysis.timing_results import SCHEMA, TimingResults
from audiosurvey.artefact.classifier import Classifier
from audiosurvey.artefact.load import load
from audiosurvey.threads import one_thread
from audiosurvey.version import __version__

ROUNDS = 15


@dataclass(frozen=True)
class TimedModel:
    """A model to measure."""

    name: str
    """As it is shown; different for each model."""
    folder: Path
    """The model folder."""
    fold: int | None
    """Whose model of its run it is; None: the final model."""


def measure_timing(models: Sequence[TimedModel]) -> dict[str, TimingResults]:
    """Measures all models in turn; results by name. Nothing is written.

    Raises UserError for a model that cannot be loaded.
    """
    loaded = {model.name: load(model.folder) for model in models}
    times = milliseconds_per_clip(loaded)
    measured, measurement = datetime.now(UTC).isoformat(timespec="seconds"), uuid.uuid4().hex
    host, processor = socket.gethostname(), processor_name()
    return {
        model.name: TimingResults(
            schema_version=SCHEMA,
            version=__version__,
            fold=model.fold,
            model=loaded[model.name].facts["sha256"]["weights.safetensors"],
            ms_per_clip=times[model.name],
            host=host,
            processor=processor,
            measured=measured,
            measurement=measurement,
            models=list(times),
        )
        for model in models
    }


def milliseconds_per_clip(models: Mapping[str, Classifier], rounds: int = ROUNDS) -> dict[str, float]:
    """Median processor time in ms of one window of each model (one thread, front end included, decoding not).

    The models alternate within each round, so that a change of the machine's speed meets all of them.
    """
    rng = np.random.default_rng(0)
    waves = {name: (0.1 * rng.standard_normal(model.clip_samples)).astype(np.float32) for name, model in models.items()}
    times: dict[str, list[float]] = {name: [] for name in models}
    with one_thread():
        for name, model in models.items():
            model.scores(waves[name])
        for _ in range(rounds):
            for name, model in models.items():
                begin = time.process_time()
                model.scores(waves[name])
                times[name].append((time.process_time() - begin) * 1e3)
    return {name: statistics.median(found) for name, found in times.items()}


def processor_name(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The model of this machine's processor, or its architecture where the system does not tell the model."""
    with suppress(OSError):
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name" and value.strip():
                return value.strip()
    return platform.processor() or platform.machine()
