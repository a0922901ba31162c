"""Differences from presets, costs, and the command that repeats a run."""

from pathlib import Path

import pytest

from audiosurvey.analysis.timing_results import TimingResults
from audiosurvey.config.loader import load_config
from audiosurvey.reporting.page.facts import costs, differences, machine
from audiosurvey.runs.results.run_folder import RunFolder


@pytest.mark.parametrize("preset", ["small", "mn04", "esc50"])
def test_the_preset_itself_has_no_differences(preset: str):
    found = differences(load_config(preset, ["dataset.root=/elsewhere"]).config)
    assert (found.preset, found.rows) == (preset, [])


def test_the_nearest_preset_is_found():
    found = differences(load_config("tiny", ["train.epochs=7"]).config)
    assert found.preset == "tiny"
    assert ("train.epochs", "60", "7") in found.rows
    # The one that is named, whatever is nearest.
    named = differences(load_config("tiny").config, "small")
    assert named.preset == "small"
    assert "model.blocks" in [key for key, _, _ in named.rows]


def test_costs_are_those_of_the_run(finished_run: Path):
    run = RunFolder(finished_run)
    results = run.read_results()
    assert results is not None
    rows = dict(costs(run, results, {"host": "box", "processors": 1, "torch_threads": 2, "device": "cpu"}))
    assert rows["parameters"] == f"{results.parameters:,}"
    assert rows["machine"] == "box: 1 processor, 2 threads, cpu"
    assert rows["epochs per fold"] == "6"
    assert rows["weights of one model"].endswith("kB")
    assert rows["peak memory"].endswith(("MB", "GB"))
    assert "energy, measured" not in rows or rows["energy, measured"].endswith(" Wh")
    measured = [row.changed(energy_wh=1.25) for row in results.folds]
    assert dict(costs(run, results.changed(folds=measured), {}))["energy, measured"] == f"{1.25 * len(measured):.3g} Wh"
    some = [row.changed(energy_wh=None) for row in measured[1:]]
    assert "energy, measured" not in dict(costs(run, results.changed(folds=[measured[0], *some]), {}))
    timing = TimingResults(
        schema_version=1,
        version="0.1.0",
        fold=1,
        model="abc",
        ms_per_clip=12.345,
        host="vm",
        processor="Some CPU",
        measured="2026-11-30T07:50:08+00:00",
        measurement="m1",
        models=["a"],
    )
    timed = dict(costs(run, results, {}, timing))
    assert timed["time per clip"] == "12.3 ms, measured on vm (Some CPU), one thread, 2026-11-30 07:50 UTC"
    assert machine({"device": "cuda", "devices": ["H200"]}) == "unknown: H200"
