"""Accuracy of exported files, compared with their model, on the fold that it was not trained on.

    audiosurvey train small --folds 1 --run-dir RUN --set dataset.name=esc50 --set dataset.subset=esc10 \\
        --set dataset.root=ROOT --set dataset.clip_seconds=5 --set train.epochs=20 --set train.lr=0.003 \\
        --set train.weight_decay=0.05 --set train.batch_size=16 --set 'augmentation.mixup={p: 0.5, alpha: 1.0}' \\
        --set 'augmentation.cyclic_shift={p: 1.0, max_s: 2.5}' \\
        --set 'augmentation.time_masking={p: 0.5, tmp: 60, num: 2}' \\
        --set 'augmentation.freq_masking={p: 0.5, fmp: 10, num: 2}'
    audiosurvey export RUN/fold-1/model --output model.onnx
    audiosurvey export RUN/fold-1/model --output model.int8.onnx --int8
    python benchmarks/exported_accuracy.py RUN/fold-1/model model.onnx model.int8.onnx

The data set is that of the model's config, with one label per clip. Files are scored as by `predict`.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

import audiosurvey
from audiosurvey.artefact.folder import load_artefact
from audiosurvey.data.dataset import load_table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a fold's model folder")
    parser.add_argument("files", nargs="+", type=Path, help="files exported from it")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = load_artefact(options.model)
    fold = model.facts["about"]["fold"]
    table = load_table(model.config.dataset)
    clips = [clip for clip in table.clips if clip.fold == fold]
    truth = [table.classes[clip.labels[0]] for clip in clips]
    wanted = model.predict([clip.path for clip in clips])
    print(f"fold {fold}, {len(clips)} clips")
    print(f"{options.model}: accuracy {_accuracy(wanted, truth):.4f}")
    for file in options.files:
        given = audiosurvey.load(file).predict([clip.path for clip in clips])
        same = np.mean([next(iter(one)) == next(iter(two)) for one, two in zip(given, wanted, strict=True)])
        difference = max(abs(one[label] - two[label]) for one, two in zip(given, wanted, strict=True) for label in one)
        print(
            f"{file}: accuracy {_accuracy(given, truth):.4f}, {file.stat().st_size / 1e6:.2f} MB; the same best label "
            f"for {same:.1%}, largest difference of a score {difference:.1e}"
        )


def _accuracy(predicted: list[dict[str, float]], truth: list[str]) -> float:
    return float(np.mean([next(iter(scores)) == label for scores, label in zip(predicted, truth, strict=True)]))


if __name__ == "__main__":
    main()
