"""Costs from the files of runs, and the Pareto front."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiosurvey.comparison.benchmark import make_benchmarks
from audiosurvey.comparison.costs import costs_of, pareto_front
from audiosurvey.comparison.sources import find_rows


def costs(*paths):
    (found,) = make_benchmarks(find_rows(paths), (), [].append)
    return costs_of(found.models[0])


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
