"""Processor time of `background` per clip beside that of `noise`: draw and render, one thread, in turns.

OMP_NUM_THREADS=1 python benchmarks/background.py
"""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch

from audiosurvey.augment.base import WaveOperation
from audiosurvey.augment.extent import Extent
from audiosurvey.augment.wave.background import Background, BackgroundConfig
from audiosurvey.augment.wave.noise import Noise, NoiseConfig
from audiosurvey.randomness import stream

RATE, SECONDS, BATCH, ROUNDS = 32_000, 5, 32, 40


def measure(operation: WaveOperation[Any, Any], wave_BS: torch.Tensor, round_number: int) -> tuple[float, float]:
    """Milliseconds per clip of drawing, and of rendering."""
    samples = wave_BS.shape[1]
    began = time.process_time()
    draws = [operation.draw_in(stream(round_number, row), Extent.whole(samples)) for row in range(BATCH)]
    drawn = time.process_time()
    operation.apply(wave_BS, draws, [samples] * BATCH)
    return 1000 * (drawn - began) / BATCH, 1000 * (time.process_time() - drawn) / BATCH


def row(name: str, times: Sequence[tuple[float, float]]) -> str:
    draw_ms, render_ms = np.median(np.array(times), axis=0)
    return f"{name:11} draw {draw_ms:.3f} ms  render {render_ms:.3f} ms  together {draw_ms + render_ms:.3f} ms"


def main() -> None:
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(20):
            soundfile.write(Path(folder) / f"{number}.wav", 0.1 * rng.standard_normal(60 * RATE), RATE)
        background = BackgroundConfig(p=1, folder=Path(folder))
        operations = {
            "noise": Noise(NoiseConfig(p=1)),
            "background": Background(background, sample_rate=RATE, stores=Path(folder) / "stores"),
        }
        wave_BS = torch.from_numpy(0.1 * rng.standard_normal((BATCH, SECONDS * RATE), dtype=np.float32))
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in operations}
        for number in range(ROUNDS):
            for name, operation in operations.items():
                times[name].append(measure(operation, wave_BS, number))
    for name, measured in times.items():
        print(row(name, measured[2:]))


if __name__ == "__main__":
    main()
