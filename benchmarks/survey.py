"""Networks compared with equal training budget: the same data, folds, epochs, augmentation and seed for each.

    python benchmarks/survey.py ESC10 --output results/survey-esc10 [--folds 1,2] [--epochs 20] [NAME ...]

ESC10 is a folder with the layout of ESC-50. Each network uses the front end of its preset; all other settings are the
same. Run folders are kept in `runs/survey`, so that an interrupted command can be continued. The results.json of each
network is copied as soon as it is complete. At the end, a table shows accuracy, parameters, MACs, seconds per fold, and
milliseconds per clip for inference (one thread, one clip at a time, front end included, float32).
"""

import argparse
import json
import shutil
import statistics
import time
from pathlib import Path

import numpy as np

import audiosurvey
from audiosurvey.config.loader import load_config
from audiosurvey.reporting.listener import TerminalListener
from audiosurvey.runs.plan import TrainOptions
from audiosurvey.runs.train import train
from audiosurvey.threads import one_thread

NAMES = ("tiny", "small", "base", "toy", "mn04", "mn05", "mobilenetv1", "mobilenetv2", "erann-0-1", "cnn6")
BUDGET = (
    "augmentation={mixup: {p: 0.5, level_aware: true}, gain: {p: 0.5}, cyclic_shift: {p: 1, max_s: 2.5}}",
    "loss={label_smoothing: 0.1}",
    "optimizer={name: adamw}",
    "schedule={name: cosine}",
    "ema={decay: 0.999}",
    "protocol={selection: last, test_every: 0}",
)
TRAIN = "train={{epochs: {epochs}, lr: 0.002, weight_decay: 0.05, batch_size: 16}}"


def trained(name: str, data: str, folds: list[int], epochs: int, place: Path) -> Path:
    dataset = f"dataset={{name: esc50, root: {data}, subset: esc10, clip_seconds: 5}}"
    loaded = load_config(name, [dataset, *BUDGET, TRAIN.format(epochs=epochs)])
    run = place / name
    train(loaded, TrainOptions(run, folds, resume=run.exists(), device="cpu"), TerminalListener())
    return run


def milliseconds(run: Path, fold: int, repeats: int = 20) -> float:
    """Median time of one window, from wave to scores, in one thread."""
    model = audiosurvey.load(run / f"fold-{fold}" / "model")
    wave = 0.1 * np.random.default_rng(0).standard_normal(model.clip_samples).astype(np.float32)
    taken = []
    with one_thread():
        for _ in range(repeats + 3):
            started = time.perf_counter()
            model.scores(wave)
            taken.append(1000 * (time.perf_counter() - started))
    return statistics.median(taken[3:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?")
    parser.add_argument("names", nargs="*", default=NAMES, metavar="NAME")
    parser.add_argument("--output", type=Path, default=Path("results/survey-esc10"))
    parser.add_argument("--folds", default="1,2")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--runs", type=Path, default=Path("runs/survey"))
    arguments = parser.parse_args()
    if arguments.data is None:
        print("survey: skipped; it needs the folder of ESC-10 as its argument, and takes hours")
        return
    folds = [int(fold) for fold in arguments.folds.split(",")]
    arguments.output.mkdir(parents=True, exist_ok=True)
    rows = []
    for name in arguments.names:
        run = trained(name, arguments.data, folds, arguments.epochs, arguments.runs)
        shutil.copyfile(run / "results.json", arguments.output / f"{name}.json")
        found = json.loads((run / "results.json").read_text(encoding="utf-8"))
        rows.append((found["mean"]["accuracy"], name, found, milliseconds(run, folds[0])))
    print(f"\nfolds {arguments.folds}, {arguments.epochs} epochs each")
    print("| network | accuracy | parameters | MMAC | s per fold | ms per clip |\n|---|---|---|---|---|---|")
    for accuracy, name, found, taken in sorted(rows, key=lambda row: -row[0]):
        seconds = found["seconds"] / len(found["folds"])
        print(
            f"| `{name}` | {accuracy:.3f} | {found['parameters']:,} | {found['macs'] / 1e6:.0f} | {seconds:.0f} | "
            f"{taken:.1f} |"
        )


if __name__ == "__main__":
    main()
