"""Two folds in parallel (`train --jobs 2`) compared with the same folds one after the other with all threads.

    python benchmarks/side_by_side.py ESC50 --preset esc50

The argument is the folder of the preset's data set. Prints the seconds per epoch of both folds for each mode (the
minimum over several epochs without evaluation), and their ratio.
"""

import argparse
import json
import tempfile
from pathlib import Path

from audiosurvey.config.loader import load_config
from audiosurvey.runs.plan import TrainOptions
from audiosurvey.runs.train import train

EPOCHS, ROUNDS = 4, 2


def epoch_seconds(preset: str, root: str, overrides: list[str], jobs: int) -> float:
    """Seconds per epoch of both folds: their sum if trained sequentially, their mean if trained in parallel."""
    settings = [f"dataset.root={root}", f"train.epochs={EPOCHS}", "protocol.test_every=0", "tracking=[]", *overrides]
    with tempfile.TemporaryDirectory() as name:
        run = Path(name) / "run"
        train(load_config(preset, settings), TrainOptions(run, [1, 2], jobs=jobs))
        least = []
        for fold in (1, 2):
            lines = (run / f"fold-{fold}" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
            # The first epoch warms up memory and caches, the last evaluates the test fold.
            least.append(min(json.loads(line)["seconds"] for line in lines[1:-1]))
    return sum(least) / jobs


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("root")
    parser.add_argument("--preset", default="esc10")
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    given = parser.parse_args()
    found: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(ROUNDS):
        for jobs, taken in found.items():
            taken.append(epoch_seconds(given.preset, given.root, given.overrides, jobs))
            print(f"--jobs {jobs}: {taken[-1]:.1f} s per epoch of two folds", flush=True)
    ratios = [one / two for one, two in zip(found[1], found[2], strict=True)]
    print(f"sequential training takes {min(ratios):.2f} to {max(ratios):.2f} times as long as parallel training")


if __name__ == "__main__":
    main()
