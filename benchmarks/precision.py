"""Training steps of the original system's network (35 GMAC per clip): bf16 compared with fp32.

    python benchmarks/precision.py

Each step includes augmentation, mel, forward, backward and optimizer, on random sound. Prints clips per second for both
and their ratio. The two alternate, so that changes of the machine's speed affect both.
"""

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
import torch

from audiosurvey.config.loader import load_config
from audiosurvey.data.sounds import prepare_sounds
from audiosurvey.data.splits.folds import make_split
from audiosurvey.runs.stages.stage import Stage
from audiosurvey.training.accelerator import make_accelerator
from audiosurvey.training.precision import pick_precision

CLIPS, ROUNDS = 4, 3


def make_sounds(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("one", "two"):
        (folder / name).mkdir()
        for index in range(8):
            soundfile.write(folder / name / f"{index}.wav", rng.normal(size=150_000) * 0.1, 30_000)


def make_step(folder: Path, precision: str):
    overrides = ["dataset={name: folder, root: " + folder.as_posix() + ", num_folds: 2}", f"train.batch_size={CLIPS}"]
    config = load_config("original", [*overrides, f"precision={precision}", "train.num_workers=0"]).config
    sounds = prepare_sounds(config.dataset, config.sample_rate)
    accelerator = make_accelerator("cpu", config.precision)
    clips = make_split(sounds.table, 1, "last").train
    stage = Stage(config, sounds, clips, accelerator=accelerator, settings=config.train, name="train", fold=1)
    step, batch = stage.step(stage.build()), next(stage.batches.epoch(1))
    return accelerator.mixed_precision, lambda: step([batch], epoch=1, step=0, lr=1e-4)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_sounds(folder)
        times: dict[str, list[float]] = {"fp32": [], "bf16": []}
        for _ in range(ROUNDS):
            for precision, taken in times.items():
                picked, step = make_step(folder, precision)
                step()
                started = time.perf_counter()
                step()
                taken.append(time.perf_counter() - started)
                print(f"{precision} ({picked}): {CLIPS / taken[-1]:.2f} clips/s", flush=True)
    ratios = [slow / fast for slow, fast in zip(times["fp32"], times["bf16"], strict=True)]
    for precision, taken in times.items():
        print(f"{precision}: {CLIPS / statistics.median(taken):.2f} clips/s (median)")
    print(f"`auto` is {pick_precision('auto', torch.device('cpu'))} here")
    span = f"{min(ratios):.2f} to {max(ratios):.2f}"
    print(f"bf16 compared with fp32: {statistics.median(ratios):.2f} times as fast ({span})")


if __name__ == "__main__":
    main()
