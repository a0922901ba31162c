"""How well `audiosurvey similar` finds sounds of the class of a query, on clips that the model was not trained on.

    audiosurvey train probe-mn04 --set dataset.subset=esc10 --set dataset.root=ESC10 --folds 1 --run-dir runs/probe
    python benchmarks/similar.py runs/probe/fold-1/model ESC10

Each clip of one fold of a data set in the layout of ESC-50 is searched by among the others of that fold. Prints the
precision at 1 and at 5, and that of chance.
"""

import argparse
import csv
from pathlib import Path

import numpy as np

import audiosurvey

NUMBER = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("root", type=Path)
    parser.add_argument("--fold", default="1")
    given = parser.parse_args()
    with (given.root / "meta" / "esc50.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["fold"] == given.fold]
    label_of = {str(given.root / "audio" / row["filename"]): row["category"] for row in rows}
    clips, model = list(label_of), audiosurvey.load(given.model)
    right_NR = np.array(
        [
            [label_of[hit.name] == label for hit in audiosurvey.similar(model, clip, clips, number=NUMBER)]
            for clip, label in label_of.items()
        ]
    )
    labels = list(label_of.values())
    chance = np.mean([(labels.count(label) - 1) / (len(labels) - 1) for label in labels])
    print(f"{len(clips)} queries: precision at 1 {right_NR[:, 0].mean():.3f}, at {NUMBER} {right_NR.mean():.3f}")
    print(f"by chance {chance:.3f}")


if __name__ == "__main__":
    main()
