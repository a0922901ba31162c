"""What choosing the epoch on the test fold adds to a score: an optimistic habit, measured on finished runs.

    python benchmarks/best_test_epoch.py RUN_OR_SURVEY [RUN_OR_SURVEY ...]

The runs must have been tested after every epoch (`protocol.test_every: 1`). For each run, prints the mean accuracy over
its folds after the last epoch, which is its result; at the epoch whose mean over the test folds is the highest; and
with the best epoch of each test fold. Only the first is a result. The others were selected on the test clips.
"""

import argparse
import json
from pathlib import Path

import numpy as np


def curves(run: Path) -> list[list[float]]:
    """Test accuracy after each epoch, for each fold."""
    found = []
    for path in sorted(run.glob("fold-*/metrics.jsonl")):
        with path.open(encoding="utf-8") as file:
            rows = [json.loads(line) for line in file]
        found.append([row["test_accuracy"] for row in rows if row.get("test_accuracy") is not None])
    return found


def runs_of(folder: Path) -> list[Path]:
    """A run folder itself, or the runs of a survey."""
    return (
        sorted(path for path in (folder / "runs").iterdir() if path.is_dir())
        if (folder / "runs").is_dir()
        else [folder]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", metavar="RUN_OR_SURVEY")
    given = parser.parse_args()
    print("| run | folds | epochs | last epoch | best epoch of all folds | best epoch of each fold |")
    print("|---|---|---|---|---|---|")
    for run in (run for folder in given.folders for run in runs_of(folder)):
        curves_FE = curves(run)
        epochs = {len(curve) for curve in curves_FE}
        if len(epochs) != 1 or epochs <= {0, 1}:
            print(f"| {run.name} | {len(curves_FE)} | not tested after every epoch | | | |")
            continue
        accuracy_FE = np.array(curves_FE)
        last, shared = accuracy_FE[:, -1].mean(), accuracy_FE.mean(axis=0).max()
        each = accuracy_FE.max(axis=1).mean()
        print(
            f"| {run.name} | {len(accuracy_FE)} | {accuracy_FE.shape[1]} | {last:.4f} | {shared:.4f} "
            f"({100 * (shared - last):+.1f}) | {each:.4f} ({100 * (each - last):+.1f}) |"
        )


if __name__ == "__main__":
    main()
