"""Sounds with known content."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiosurvey.artefact.folder import Model, load_artefact

RATE = 8000


@pytest.fixture(scope="session")
def model(finished_run: Path) -> Model:
    """A model of the tones, with windows of half a second, that was trained on folds 2 and 3."""
    return load_artefact(finished_run / "fold-1" / "model")


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """`write("a.wav", 300, 0, 900)`: half a second of each of these tones; 0 is silence, None noise."""

    def make(name: str, *hertz: float | None, seconds: float = 0.5) -> Path:
        times = np.arange(round(seconds * RATE)) / RATE
        rng = np.random.default_rng(len(hertz))
        parts = [
            0.2 * rng.standard_normal(len(times))
            if one is None
            else (0.3 * np.sin(2 * np.pi * one * times) + 0.02 * rng.standard_normal(len(times))) * (one > 0)
            for one in hertz
        ]
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / name, np.concatenate(parts), RATE)
        return tmp_path / name

    return make
