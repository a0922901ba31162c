"""Time of models per clip on one core of this machine: all models in turn within one run, so that they compare."""

import statistics
import time
from collections.abc import Mapping

import numpy as np

from audiosurvey.artefact.classifier import Classifier
from audiosurvey.threads import one_thread

ROUNDS = 15


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
