"""Time per clip: every model is measured, in turn."""

import numpy as np

from audiosurvey.analysis.timing import milliseconds_per_clip


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
