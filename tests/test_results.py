"""What is recorded under results/ are unedited results.json files, and their means are those of their folds."""

import json
from pathlib import Path

import numpy as np
import pytest

RESULTS = sorted((Path(__file__).resolve().parent.parent / "results").rglob("*.json"))


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_form_and_means(path):
    results = json.loads(path.read_text(encoding="utf-8"))
    assert results["schema"] == 1
    for name in ("dataset", "protocol", "official", "selection", "classes", "init", "parameters", "macs", "skipped"):
        assert name in results
    for name, value in results["mean"].items():
        values = [fold[name] for fold in results["folds"]]
        if value is not None:
            assert value == pytest.approx(np.mean(values))
            spread = pytest.approx(np.std(values, ddof=1)) if len(values) > 1 else None
            assert results["std"][name] == spread
    assert np.sum(results["confusion"]) == sum(fold["clips"] for fold in results["folds"])
    assert not results["optimistic"]
