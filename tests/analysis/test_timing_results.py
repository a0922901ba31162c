"""Stored times: what is written is read again, for as long as the run has the model that was measured."""

import json
from pathlib import Path

import pytest

from audiosurvey.analysis.timing_results import FILE, TimingResults, timing_of, write_timing
from audiosurvey.errors import UserError
from audiosurvey.runs.results.run_folder import RunFolder

TIMING = TimingResults(
    schema_version=1,
    version="0.1.0",
    fold=1,
    model="abc",
    ms_per_clip=12.5,
    host="vm",
    processor="Some CPU",
    measured="2026-11-30T07:50:08+00:00",
    measurement="m1",
    models=["a", "b"],
)


def run_with(folder: Path, digest: str) -> RunFolder:
    model = folder / "fold-1" / "model"
    model.mkdir(parents=True, exist_ok=True)
    (model / "model.json").write_text(json.dumps({"sha256": {"weights.safetensors": digest}}), encoding="utf-8")
    return RunFolder(folder)


def test_what_is_written_is_read(tmp_path: Path):
    run = run_with(tmp_path, "abc")
    assert timing_of(run) is None
    write_timing(run, TIMING)
    assert timing_of(run) == TIMING
    assert list((tmp_path / "analysis").iterdir()) == [tmp_path / FILE]
    assert (TIMING.machine, TIMING.when) == ("vm (Some CPU)", "2026-11-30 07:50 UTC")


def test_times_of_another_model_are_refused(tmp_path: Path):
    run = run_with(tmp_path, "abc")
    write_timing(run, TIMING)
    run_with(tmp_path, "other")
    with pytest.raises(UserError, match=r"measured with another model; 'audiosurvey compare .* --timing' measures it"):
        timing_of(run)
    write_timing(run, TIMING.changed(fold=None))
    # There is no final model that could be another one.
    assert timing_of(run) == TIMING.changed(fold=None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 2}, "timing of schema 2; this version reads 1"),
        ({"ms_per_clip": "fast"}, "damaged, ms_per_clip: "),
        ({"ms_per_clip": -1.0}, "damaged, ms_per_clip: "),
        ({"ms_per_clip": float("nan")}, "damaged, ms_per_clip: "),
        ({"models": None}, "damaged, models: "),
    ],
)
def test_damaged_files_are_refused_in_one_line(tmp_path: Path, change: dict[str, object], message: str):
    run = run_with(tmp_path, "abc")
    write_timing(run, TIMING)
    (tmp_path / FILE).write_text(json.dumps(TIMING.as_json() | change), encoding="utf-8")
    with pytest.raises(UserError, match=message) as caught:
        timing_of(run)
    assert len(caught.value.lines) == 1
