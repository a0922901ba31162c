"""Costs from the files of runs, and the Pareto front."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiosurvey.comparison.benchmark import make_benchmarks
from audiosurvey.comparison.costs import costs_of, pareto_front
from audiosurvey.comparison.sources import find_rows


def costs(*paths, folds=()):
    (found,) = make_benchmarks(find_rows(paths), folds, [].append)
    return costs_of(found.models[0], found.folds)


def test_costs_of_a_run(make_run):
    run = make_run("run", 0.8)
    (run / "fold-1" / "model").mkdir()
    (run / "fold-1" / "model" / "weights.safetensors").write_bytes(bytes(2_000_000))
    found = costs(run)
    assert (found.parameters, found.macs, found.train_seconds) == (800, 800_000, 50)
    assert found.machine == "here, 2 cores"
    assert found.model_mb == 2
    # five folds of 10 s, two threads at 10 W
    assert found.energy_wh == pytest.approx(5 * 10 * 20 / 3600)
    assert found.energy_estimated


def test_measured_energy_is_not_estimated(make_run):
    run = make_run("run")
    results = json.loads((run / "results.json").read_text(encoding="utf-8"))
    for row in results["folds"]:
        row |= {"energy_wh": 0.5, "peak_memory_mb": 100.0 + row["fold"]}
    (run / "results.json").write_text(json.dumps(results), encoding="utf-8")
    found = costs(run)
    assert (found.energy_wh, found.energy_estimated, found.peak_memory_mb) == (2.5, False, 105)


def changed_rows(run, change):
    results = json.loads((run / "results.json").read_text(encoding="utf-8"))
    for row in results["folds"]:
        row |= change(row["fold"])
    results["seconds"] = sum(row["seconds"] / row.get("side_by_side", 1) for row in results["folds"])
    (run / "results.json").write_text(json.dumps(results), encoding="utf-8")


def test_costs_are_those_of_the_compared_folds(make_run):
    five, two = make_run("five"), make_run("two", folds=[1, 2])
    for run in (five, two):
        changed_rows(run, lambda fold: {"seconds": 10.0 * fold, "energy_wh": 0.5, "peak_memory_mb": 100.0 + fold})
    assert costs(five, folds=[1, 2]) == costs(two)
    found = costs(five, folds=[1, 3])
    assert (found.train_seconds, found.energy_wh, found.peak_memory_mb) == (40, 1, 103)
    assert costs(five).train_seconds == 150


def test_costs_of_several_seeds_are_means_over_the_compared_folds(make_run):
    runs = [make_run(f"run-seed{seed}", seed=seed) for seed in (0, 1)]
    for seed, run in enumerate(runs):
        # folds side by side share the machine
        changed_rows(run, lambda fold, seed=seed: {"seconds": 10.0 * (seed + 1), "side_by_side": 2, "threads": 1})
    found = costs(*runs, folds=[2, 4])
    assert found.train_seconds == (10 + 20) / 2
    assert found.energy_wh == pytest.approx((2 * 10 + 2 * 20) / 2 * 10 / 3600)


def test_a_gpu_is_named(make_run):
    run = make_run("run")
    environment = {"host": "here", "device": "cuda", "devices": ["NVIDIA H200"], "processes": 1}
    (run / "environment.json").write_text(json.dumps(environment), encoding="utf-8")
    found = costs(run)
    assert found.machine == "here, NVIDIA H200"
    assert found.energy_wh == pytest.approx(50 * 300 / 3600)


def test_files_of_others_have_no_costs(make_foreign):
    found = costs(make_foreign("theirs"))
    assert (found.parameters, found.machine, found.energy_wh, found.model_mb) == (None, None, None, None)


def test_pareto_front_by_hand():
    #        best   dearer, worse   cheaper   as good, dearer   not known
    assert pareto_front([0.9, 0.8, 0.7, 0.9, 0.95], [5, 6, 1, 7, None]) == [True, False, True, False, False]
    assert pareto_front([0.5, 0.5], [1, 1]) == [True, True]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 5)), min_size=1, max_size=8))
def test_nothing_beats_the_front_and_something_beats_the_rest(models):
    front = pareto_front([score for score, _ in models], [cost for _, cost in models])
    assert any(front)
    for (score, cost), on in zip(models, front, strict=True):
        beaten = any(s >= score and c <= cost and (s, c) != (score, cost) for s, c in models)
        assert on is not beaten
