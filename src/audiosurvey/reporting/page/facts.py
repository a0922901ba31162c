"""Facts about a run: what it cost, how its config differs from a preset, where it ran, and how to repeat it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from audiosurvey.analysis.timing_results import TimingResults
from audiosurvey.config.from_weights import fill_from_weights
from audiosurvey.config.loader import fill_preset
from audiosurvey.config.presets import preset_document, preset_names
from audiosurvey.config.reading.validate import validate
from audiosurvey.config.reading.wording import show
from audiosurvey.config.resolved import plain
from audiosurvey.config.root import Config
from audiosurvey.errors import number_of
from audiosurvey.pages.units import duration, size
from audiosurvey.runs.results.recipes import PATHS_AND_SPEED, flat
from audiosurvey.runs.results.results import RunResults
from audiosurvey.runs.results.run_folder import RunFolder

_PLACES = {key.removeprefix("config.") for key in PATHS_AND_SPEED} | {"dataset.ignore"}
"""Keys about a machine, not about an experiment."""


@dataclass(frozen=True)
class Differences:
    """How a config differs from the preset that it is nearest to."""

    preset: str
    rows: Sequence[tuple[str, str, str]]
    """Key, value of the preset, value of the run."""


def costs(
    run: RunFolder, results: RunResults, environment: Mapping[str, Any], timing: TimingResults | None = None
) -> list[tuple[str, str]]:
    """What training cost and what a model takes up; `timing`: what `compare --timing` measured."""
    rows: list[tuple[str, str]] = []
    if results.parameters is not None:
        rows.append(("parameters", f"{results.parameters:,}"))
    if results.macs is not None:
        rows.append(("multiply-accumulates per window", f"{results.macs / 1e6:,.1f} million"))
    files = [run.fold(fold) / "model" / "weights.safetensors" for fold in results.done]
    if (weights := next((file for file in files if file.is_file()), None)) is not None:
        rows.append(("weights of one model", size(weights.stat().st_size)))
    folds = len(results.folds)
    epochs = sorted({row.epochs for row in results.folds})
    rows.append(("epochs per fold", " to ".join(map(str, dict.fromkeys((epochs[0], epochs[-1]))))))
    each = f"{duration(results.seconds / folds)} per fold, " if folds > 1 else ""
    rows.append(("training time", f"{each}{duration(results.seconds)} in total"))
    if peaks := [row.peak_memory_mb for row in results.folds if row.peak_memory_mb is not None]:
        rows.append(("peak memory", size(round(max(peaks) * 1e6))))
    if len(energies := [row.energy_wh for row in results.folds if row.energy_wh is not None]) == folds:
        rows.append(("energy, measured", f"{sum(energies):.3g} Wh"))
    if environment:
        rows.append(("machine", machine(environment)))
    if timing is not None:
        measured = f"measured on {timing.machine}, one thread, {timing.when}"
        rows.append(("time per clip", f"{timing.ms_per_clip:.3g} ms, {measured}"))
    return rows


def machine(environment: Mapping[str, Any]) -> str:
    """`vm: x86_64, 2 processors, 1 thread, cpu, fp32`."""
    devices = ", ".join(environment.get("devices") or []) or str(environment.get("device", "unknown device"))
    counts = [
        number_of(environment[key], word)
        for key, word in (("processors", "processor"), ("torch_threads", "thread"))
        if key in environment
    ]
    parts = [environment.get("machine"), *counts, devices, environment.get("precision")]
    return f"{environment.get('host', 'unknown')}: {', '.join(str(part) for part in parts if part)}"


def differences(config: Config, named: str | None = None) -> Differences:
    """The keys that differ from a preset: the one named, else the nearest, that with the fewest differences.

    Paths and other settings of a machine do not count.
    """
    own = _keys(config)
    candidates = [named] if named is not None and named in preset_names() else preset_names()
    found: list[tuple[int, int, list[tuple[str, str, str]]]] = []
    for place, name in enumerate(candidates):
        other = _keys(_preset(name))
        keys = [key for key in {**other, **own} if own.get(key) != other.get(key)]
        rows = [(key, show(other.get(key), 300), show(own.get(key), 300)) for key in keys]
        # A network of other blocks is another one, however few keys that takes.
        found.append((len(rows) + 100 * ("model.blocks" in keys), place, rows))
        if not rows:
            break
    _, place, rows = min(found)
    return Differences(candidates[place], rows)


def _preset(name: str) -> Config:
    """The config of a preset, without the checks that take long."""
    document = preset_document(name)
    fill_preset(document)
    fill_from_weights(document)
    checked = validate(Config, document)
    assert checked.config is not None, "presets are valid"
    return checked.config.resolved()


def _keys(config: Config) -> dict[str, Any]:
    return {key: value for key, value in flat(plain(config)).items() if key not in _PLACES}
