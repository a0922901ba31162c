"""Time per clip: every model is measured, in turn, and the results say where, when and of which models."""

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from audiosurvey.analysis import timing
from audiosurvey.analysis.timing import TimedModel, measure_timing, milliseconds_per_clip, processor_name
from audiosurvey.errors import UserError


class Slow:
    clip_samples = 100

    def __init__(self, name: str, calls: list[str], work: int) -> None:
        self.name, self.calls, self.work = name, calls, work

    def scores(self, wave_S: np.ndarray) -> np.ndarray:
        assert wave_S.shape == (100,)
        assert wave_S.dtype == np.float32
        self.calls.append(self.name)
        return np.sort(np.arange(self.work, dtype=np.float64)[::-1] % 1009)


def test_models_alternate():
    calls: list[str] = []
    models = {"a": Slow("a", calls, 10), "b": Slow("b", calls, 300_000)}
    found = milliseconds_per_clip(models, rounds=3)
    assert calls == ["a", "b"] * 4
    assert 0 <= found["a"] < found["b"]


def test_no_models():
    assert milliseconds_per_clip({}) == {}
    assert measure_timing([]) == {}


def test_models_measured_together_say_so(finished_run: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(timing.socket, "gethostname", lambda: "vm")
    monkeypatch.setattr(timing, "processor_name", lambda: "Some CPU")
    models = [TimedModel(name, finished_run / f"fold-{fold}" / "model", fold) for fold, name in ((1, "a"), (2, "b"))]
    found = measure_timing(models)
    assert list(found) == ["a", "b"]
    for model in models:
        one = found[model.name]
        facts = json.loads((model.folder / "model.json").read_text(encoding="utf-8"))
        assert (one.fold, one.model) == (model.fold, facts["sha256"]["weights.safetensors"])
        assert one.ms_per_clip > 0
        assert (one.machine, one.models) == ("vm (Some CPU)", ["a", "b"])
        assert datetime.fromisoformat(one.measured) <= datetime.now(UTC)
    assert found["a"].measurement == found["b"].measurement
    assert measure_timing(models[:1])["a"].measurement != found["a"].measurement
    assert not (finished_run / "analysis" / "timing.json").exists()


def test_a_model_that_cannot_be_loaded(tmp_path: Path):
    with pytest.raises(UserError):
        measure_timing([TimedModel("a", tmp_path, 1)])


def test_the_processor_has_a_name(tmp_path: Path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel\t\t: 17\nmodel name\t: AMD EPYC 9B14\nflags\t\t: fpu\n", encoding="utf-8")
    assert processor_name(cpuinfo) == "AMD EPYC 9B14"
    assert processor_name(tmp_path / "nothing")
