"""Sounds to be audited."""

from collections.abc import Callable

import numpy as np
import pytest


@pytest.fixture(scope="session")
def sound() -> Callable[..., np.ndarray]:
    """`sound(seed, seconds)`: noise at 16 kHz whose level and colour wander, so that no two seeds are alike."""

    def make(seed: int, seconds: float = 1.5) -> np.ndarray:
        rng = np.random.default_rng(seed)
        frames = round(seconds * 40)
        spectra = np.fft.rfft(rng.standard_normal((frames, 400)))
        colour = np.exp(1.2 * rng.standard_normal((frames, 21)))
        shape = np.array([np.interp(np.linspace(0, 20, spectra.shape[1]), np.arange(21), one) for one in colour])
        wave = np.fft.irfft(spectra * shape, 400).ravel()
        return (0.5 * wave / np.abs(wave).max()).astype(np.float32)

    return make
