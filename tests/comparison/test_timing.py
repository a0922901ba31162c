"""Times per clip in a comparison: stored, of the present models, and never of two measurements in one table."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audiosurvey.analysis.timing_results import FILE, TimingResults, timing_of, write_timing
from audiosurvey.comparison import timing
from audiosurvey.comparison.compare import compare_paths
from audiosurvey.comparison.leaderboard import CompareOptions
from audiosurvey.comparison.output.records import records
from audiosurvey.runs.results.run_folder import RunFolder

MEASURED = "ms per clip: measured on vm (Some CPU), 2026-11-30 07:50 UTC"
AGAIN = "compare --timing measures all models in turn"


def store(run: Path, ms: float, measurement: str = "m1", *, host: str = "vm", day: int = 30, model: str = "w") -> None:
    write_timing(
        RunFolder(run),
        TimingResults(
            schema_version=1,
            version="0.1.0",
            fold=1,
            model=model,
            ms_per_clip=ms,
            host=host,
            processor="Some CPU",
            measured=f"2026-11-{day}T07:50:08+00:00",
            measurement=measurement,
            models=["a", "b"],
        ),
    )


def shown(*paths: Path) -> tuple[dict[str, float | None], list[str]]:
    """Times by model, and the notes about them."""
    (found,) = compare_paths(paths, CompareOptions(cost="ms_per_clip")).datasets
    times = {model.name: model.costs.ms_per_clip for model in found.models}
    assert not any(model.pareto for model in found.models if times[model.name] is None)
    return times, [note for note in found.notes if note.startswith("ms per clip")]


@pytest.fixture
def runs(make_run: Callable[..., Path]) -> list[Path]:
    return [make_run(name, accuracy) for name, accuracy in (("a", 0.9), ("b", 0.8), ("c", 0.7))]


def test_without_times_nothing_is_said(runs: list[Path]):
    assert shown(*runs) == ({"a": None, "b": None, "c": None}, [])


def test_times_of_one_measurement_are_shown(runs: list[Path]):
    for place, run in enumerate(runs):
        store(run, 10.0 + place)
    assert shown(*runs) == ({"a": 10, "b": 11, "c": 12}, [MEASURED])
    (record, *_) = records(compare_paths(runs, CompareOptions()))
    assert record["ms_per_clip"] == 10
    assert (record["ms_machine"], record["ms_measured"]) == ("vm (Some CPU)", "2026-11-30T07:50:08+00:00")


def test_of_two_measurements_that_with_more_models_is_shown(runs: list[Path]):
    a, b, c = runs
    store(a, 10)
    store(b, 11)
    store(c, 12, "m2", day=30)
    assert shown(*runs) == ({"a": 10, "b": 11, "c": None}, [f"{MEASURED}; left out: c (another measurement); {AGAIN}"])
    store(c, 12, "m2", host="other")
    assert shown(*runs) == ({"a": 10, "b": 11, "c": None}, [f"{MEASURED}; left out: c (another machine); {AGAIN}"])
    # Models without a time are not spoken of: the table shows that they have none.
    assert shown(a, b) == ({"a": 10, "b": 11}, [MEASURED])


def test_of_two_measurements_of_as_many_models_the_later_is_shown(runs: list[Path]):
    a, b, _ = runs
    store(a, 10, "m2", day=29)
    store(b, 11, "m1", day=30)
    times, (note,) = shown(*runs)
    assert times == {"a": None, "b": 11, "c": None}
    assert "left out: a (another measurement)" in note


def test_times_of_other_models_are_left_out(runs: list[Path]):
    a, b, c = runs
    for run, digest in ((a, "w"), (b, "changed")):
        (run / "fold-1" / "model").mkdir()
        facts = {"sha256": {"weights.safetensors": digest}}
        (run / "fold-1" / "model" / "model.json").write_text(json.dumps(facts), encoding="utf-8")
        store(run, 10)
    (c / "analysis").mkdir()
    (c / FILE).write_text("{", encoding="utf-8")
    left_out = f"left out: b, c ({FILE} is damaged, or of another model); {AGAIN}"
    assert shown(*runs) == ({"a": 10, "b": None, "c": None}, [f"{MEASURED}; {left_out}"])
    assert shown(b, c) == ({"b": None, "c": None}, [f"ms per clip: {left_out}"])


def test_any_seed_of_a_model_may_have_been_measured(make_run: Callable[..., Path]):
    runs = [make_run(f"a-seed{seed}", 0.8, seed) for seed in (0, 1)]
    store(runs[1], 10, "m1")
    assert shown(*runs)[0] == {"a": 10}
    store(runs[0], 9, "m2", day=29)
    # Nothing is left out: the model has a time.
    assert shown(*runs) == ({"a": 10}, [MEASURED])


def test_models_of_one_name_have_their_own_times(make_survey: Callable[..., Path]):
    surveys = [make_survey({("a", 0): {"dataset": name, "seconds": 1.0}}, name=name) for name in ("one", "two")]
    for ms, survey in enumerate(surveys, 10):
        store(next(survey.glob("runs/*")), ms)
    assert shown(*surveys) == ({"one/a": 10, "two/a": 11}, [MEASURED])


def test_predictions_of_other_programs_have_no_stored_times(make_foreign: Callable[..., Path]):
    theirs = make_foreign("theirs")
    store(theirs, 10)
    assert shown(theirs) == ({"theirs": None}, [])


@pytest.fixture
def copies(finished_run: Path, tmp_path: Path) -> list[Path]:
    """Two copies of a run with models."""
    return [Path(shutil.copytree(finished_run, tmp_path / name)) for name in ("one", "two")]


def measured(*paths: Path) -> tuple[Any, list[str]]:
    said: list[str] = []
    (found,) = compare_paths(paths, CompareOptions(), timing=True, say=said.append).datasets
    return found, said


def test_what_is_measured_is_shown_again(copies: list[Path]):
    found, said = measured(*copies)
    assert said == []
    stored = [timing_of(RunFolder(path)) for path in copies]
    assert all(one is not None and one.models == [model.name for model in found.models] for one in stored)
    assert len({one.measurement for one in stored if one}) == 1
    (again,) = compare_paths(copies, CompareOptions()).datasets
    assert again == found
    # Measured alone, a model no longer goes with the others.
    measured(copies[0])
    times, (note,) = shown(*copies)
    assert [time is None for time in times.values()].count(True) == 1
    assert "(another measurement)" in note
    # All of them measured anew.
    measured(*copies)
    assert all(shown(*copies)[0].values())


def test_only_what_is_measured_now_is_shown(copies: list[Path]):
    two = copies[1]
    measured(*copies)
    for fold in (1, 2, 3):
        shutil.rmtree(two / f"fold-{fold}" / "model")
    found, said = measured(*copies)
    assert said == [f"{two.as_posix()}: not timed, the run keeps no model"]
    assert {model.name: model.costs.ms_per_clip is None for model in found.models} == {"one": False, "two": True}
    # What was measured before stays; it belongs to a model that was not kept.
    assert found.notes[-1].endswith("UTC; left out: two (another measurement)")


def test_a_final_model_is_measured_if_the_folds_keep_none(final_run: Path, tmp_path: Path):
    # A folder with the name of a fold's.
    run = Path(shutil.copytree(final_run, tmp_path / "fold-7"))
    for fold in (1, 2, 3):
        shutil.rmtree(run / f"fold-{fold}" / "model")
    measured(run)
    found = timing_of(RunFolder(run))
    assert found is not None
    assert found.fold is None
    assert shown(run)[0] == {"fold-7": found.ms_per_clip}


def test_a_run_that_cannot_be_written_is_named(copies: list[Path], monkeypatch: pytest.MonkeyPatch):
    def refuse(run: RunFolder, found: TimingResults) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(timing, "write_timing", refuse)
    found, said = measured(copies[0])
    assert said == [f"{copies[0].as_posix()}: its time is not stored (Read-only file system)"]
    assert found.models[0].costs.ms_per_clip > 0
    assert not (copies[0] / FILE).exists()
