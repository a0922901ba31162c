"""Costs of a model, from the files of its runs, and the Pareto front of score against cost."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audiosurvey.analysis.timing_results import TimingResults
from audiosurvey.comparison.benchmark import ComparedModel
from audiosurvey.comparison.sources import SeedSource
from audiosurvey.runs.results.results import FoldRow

WATTS_PER_CORE, WATTS_PER_GPU = 10.0, 300.0
"""Assumed where no file tells the energy that was used."""


@dataclass(frozen=True)
class Costs:
    """None: the files do not tell."""

    parameters: int | None = None
    macs: int | None = None
    """Multiply-accumulate operations for one window."""
    train_seconds: float | None = None
    """Of the compared folds together; mean over the seeds."""
    machine: str | None = None
    energy_wh: float | None = None
    energy_estimated: bool = False
    """Whether the energy is training time times an assumed power: 10 W for each core, 300 W for each GPU."""
    peak_memory_mb: float | None = None
    ms_per_clip: float | None = None
    ms_machine: str | None = None
    """Where the time per clip was measured, and when (UTC, ISO 8601). Times from elsewhere do not compare."""
    ms_measured: str | None = None
    model_mb: float | None = None
    """Size of the file of weights."""


COSTS = {
    "parameters": "parameters",
    "macs": "MACs",
    "train_seconds": "training time (s)",
    "energy_wh": "energy (Wh)",
    "ms_per_clip": "ms per clip",
    "model_mb": "model size (MB)",
    "peak_memory_mb": "peak memory (MB)",
}
"""Titles of the costs that a score can be plotted against."""


def costs_of(model: ComparedModel, folds: Collection[int], timing: TimingResults | None = None) -> Costs:
    """Costs from results.json, environment.json and the fold models.

    `folds`: those that are compared; time, energy and memory are of these. `timing`: what was measured for the model.
    """
    timed = {} if timing is None else _timed(timing)
    seeds = [seed for seed in model.source.seeds if seed.results is not None]
    if not seeds:
        return Costs(**timed)
    results = [seed.results for seed in seeds if seed.results is not None]
    environments = [_environment(seed.path) for seed in seeds]
    rows_S = [[row for row in one.folds if row.fold in folds] for one in results]
    energy, estimated = _energy(rows_S, environments)
    weights = weights_file(seeds[0])
    return Costs(
        parameters=results[0].parameters,
        macs=results[0].macs,
        train_seconds=_seconds(rows_S),
        machine=", ".join(sorted({name for one in environments if (name := _machine(one))})) or None,
        energy_wh=energy,
        energy_estimated=estimated,
        peak_memory_mb=_peak_memory(rows_S),
        model_mb=weights.stat().st_size / 1e6 if weights else None,
        **timed,
    )


def _timed(timing: TimingResults) -> dict[str, Any]:
    return {"ms_per_clip": timing.ms_per_clip, "ms_machine": timing.machine, "ms_measured": timing.measured}


def weights_file(seed: SeedSource) -> Path | None:
    """The weights of the first fold's model, or of the final model; None if the run keeps no model."""
    places = [*(path.parent / "model" for path in seed.files), seed.path / "model"]
    return next((file for place in places if (file := place / "weights.safetensors").is_file()), None)


def pareto_front(scores: Sequence[float], costs: Sequence[float | None]) -> list[bool]:
    """Whether no other model is at least as good for at most the cost, and better in one of the two."""

    def beaten(index: int, cost: float) -> bool:
        return any(
            other is not None and score >= scores[index] and other <= cost and (score > scores[index] or other < cost)
            for score, other in zip(scores, costs, strict=True)
        )

    return [cost is not None and not beaten(index, cost) for index, cost in enumerate(costs)]


def _environment(run: Path) -> dict[str, Any]:
    try:
        found = json.loads((run / "environment.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _machine(environment: Mapping[str, Any]) -> str | None:
    """`host, NVIDIA H200` or `host, 2 cores`."""
    if "host" not in environment:
        return None
    gpus = environment.get("devices") or []
    if environment.get("device") == "cuda" and gpus:
        return f"{environment['host']}, {gpus[0]}"
    return f"{environment['host']}, {environment.get('processors')} cores"


def _seconds(rows_S: Sequence[Sequence[FoldRow]]) -> float:
    """Time of the whole machine: each of the folds trained side by side had a share of it. Mean over the seeds."""
    return sum(row.seconds / row.side_by_side for rows in rows_S for row in rows) / len(rows_S)


def _energy(
    rows_S: Sequence[Sequence[FoldRow]], environments: Sequence[Mapping[str, Any]]
) -> tuple[float | None, bool]:
    """Wh of a training of these folds, mean over the seeds, and whether it is estimated."""
    total, estimated = 0.0, False
    for rows, environment in zip(rows_S, environments, strict=True):
        for row in rows:
            if row.energy_wh is not None:
                total += row.energy_wh
            elif not environment:
                return None, False
            else:
                # Folds side by side have threads of their own, and their seconds overlap.
                total += row.seconds * _watts(environment, row.threads) / 3600
                estimated = True
    return total / len(rows_S), estimated


def _watts(environment: Mapping[str, Any], threads: int | None) -> float:
    if environment.get("device") == "cuda":
        return WATTS_PER_GPU * int(environment.get("processes") or 1)
    return WATTS_PER_CORE * (threads or int(environment.get("torch_threads") or 1))


def _peak_memory(rows_S: Sequence[Sequence[FoldRow]]) -> float | None:
    known = [row.peak_memory_mb for rows in rows_S for row in rows if row.peak_memory_mb is not None]
    return max(known, default=None)
