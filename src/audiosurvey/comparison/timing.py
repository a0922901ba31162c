"""Times per clip of the models of a comparison, all from one measurement: made now, or stored beside their runs."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from audiosurvey.analysis.timing_results import FILE, TimingResults, timing_of, write_timing
from audiosurvey.comparison.benchmark import Benchmark, ComparedModel, Say
from audiosurvey.comparison.costs import weights_file
from audiosurvey.comparison.sources import SeedSource
from audiosurvey.errors import UserError, some_of
from audiosurvey.runs.results.run_folder import RunFolder

_SHOWN = 3


@dataclass(frozen=True)
class Times:
    """Times per clip of the models of a data set."""

    of: Mapping[str, TimingResults] = field(default_factory=dict)
    """By the name of the model, all from one measurement."""
    note: str | None = None
    """Where and when they were measured, and which are left out; None if nothing was measured."""


def measured_times(benchmarks: Sequence[Benchmark], say: Say) -> list[Times]:
    """Measures the models of all data sets in turn, and stores the times beside the runs.

    `say` is called with a line for each model that its run does not keep, and for each run that cannot be written to.
    Raises UserError for a damaged model.
    """
    from audiosurvey.analysis.timing import TimedModel, measure_timing

    asked: dict[tuple[int, str], tuple[SeedSource, TimedModel]] = {}
    for number, benchmark in enumerate(benchmarks):
        for model in benchmark.models:
            seed = model.source.seeds[0]
            weights = weights_file(seed)
            if weights is None:
                say(f"{model.source.path.as_posix()}: not timed, the run keeps no model")
                continue
            name = model.name if len(benchmarks) == 1 else f"{model.name} ({benchmark.title})"
            asked[number, model.name] = seed, TimedModel(name, weights.parent, _fold_of(weights.parent, seed))
    by_name = measure_timing([timed for _, timed in asked.values()])
    found = {key: by_name[timed.name] for key, (_, timed) in asked.items()}
    for key, (seed, _) in asked.items():
        # Predictions of other programs have no run to store it beside.
        if seed.results is not None:
            _store(seed, found[key], say)
    return [
        stored_times(benchmark, {name: one for (data, name), one in found.items() if data == number})
        for number, benchmark in enumerate(benchmarks)
    ]


def stored_times(benchmark: Benchmark, measured: Mapping[str, TimingResults] = {}) -> Times:
    """The times that are stored for the models as they are now: those of the measurement with the most of them, of
    several the latest. `measured`: by name, what was measured just now, which comes first.
    """
    found: dict[str, list[TimingResults]] = {name: [one] for name, one in measured.items()}
    unusable: list[str] = []
    for model in benchmark.models:
        if model.name in found:
            continue
        there, faults = _stored(model)
        if there:
            found[model.name] = there
        elif faults:
            unusable.append(model.name)
    if not found and not unusable:
        return Times()
    chosen = _measurement({name: [one] for name, one in measured.items()} or found)
    of: dict[str, TimingResults] = {}
    for name, timings in found.items():
        for one in timings:
            if one.measurement == chosen:
                of.setdefault(name, one)
    return Times(of, _note(of, found, unusable, measured_now=bool(measured)))


def _fold_of(model: Path, seed: SeedSource) -> int | None:
    """Whose model a model folder is; None: the final model, or one of another program."""
    if seed.results is None or model.parent == seed.path:
        return None
    return int(model.parent.name.removeprefix("fold-"))


def _store(seed: SeedSource, timing: TimingResults, say: Say) -> None:
    try:
        write_timing(RunFolder(seed.path), timing)
    except OSError as error:
        say(f"{seed.path.as_posix()}: its time is not stored ({error.strerror or error})")


def _stored(model: ComparedModel) -> tuple[list[TimingResults], list[UserError]]:
    """What is stored beside the runs of a model, and why something stored cannot be used."""
    found: list[TimingResults] = []
    faults: list[UserError] = []
    for seed in model.source.seeds:
        if seed.results is None:
            continue
        try:
            timing = timing_of(RunFolder(seed.path))
        except UserError as fault:
            faults.append(fault)
        else:
            found += [] if timing is None else [timing]
    return found, faults


def _measurement(found: Mapping[str, Sequence[TimingResults]]) -> str | None:
    """The measurement with the most models, of several the latest."""
    models = Counter(one for timings in found.values() for one in {timing.measurement for timing in timings})
    measured = {timing.measurement: timing.measured for timings in found.values() for timing in timings}
    return max(models, key=lambda one: (models[one], measured[one], one), default=None)


def _note(
    of: Mapping[str, TimingResults],
    found: Mapping[str, Sequence[TimingResults]],
    unusable: Sequence[str],
    *,
    measured_now: bool,
) -> str:
    shown = next(iter(of.values()), None)
    others = {name: timings[0] for name, timings in found.items() if name not in of}
    same = [name for name, one in others.items() if shown is not None and one.machine == shown.machine]
    groups = {
        "another measurement": same,
        "another machine": [name for name in others if name not in same],
        f"{FILE} is damaged, or of another model": unusable,
    }
    parts = [] if shown is None else [f"measured on {shown.machine}, {shown.when}"]
    left_out = [f"{some_of(names, _SHOWN)} ({reason})" for reason, names in groups.items() if names]
    if left_out:
        parts.append(f"left out: {', '.join(left_out)}")
        parts += [] if measured_now else ["compare --timing measures all models in turn"]
    return f"ms per clip: {'; '.join(parts)}"
