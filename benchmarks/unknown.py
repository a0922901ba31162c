"""Which loss and which score tell sounds of no class from ESC-10: linear probes, with the other 40 classes of ESC-50.

    python benchmarks/unknown.py ESC50 mn04_as_mAP_432.pt runs/unknown

The clips of ESC-50 are embedded once, all from the same copy, so that no format tells the classes apart. Of the 40
classes outside ESC-10, 20 drawn with seed 0 are sounds of no class to train on, and the 20 others are heard in the last
test only. `other-train.csv` and `other-test.csv` in the folder are tables of both, for `dataset.other` and
`evaluate --other`.

The first table is the choice: of the 20 classes, ten train and ten are held out; each model is trained on three folds
and measured on the fold after its test fold, which takes no part. The second table is the test: each model is trained
on four folds and measured on the fifth, and on all clips of the 20 classes that were never heard, without those of
recordings in the others. Columns: accuracy, AUROC and its standard deviation over the folds, share accepted where 95 %
of the clips of the classes are kept, and the same for made sounds.
"""

import argparse
import csv
import json
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch

from audiosurvey.config.loader import load_config
from audiosurvey.config.stored import read_stored
from audiosurvey.data.other.reading import is_made
from audiosurvey.data.sounds import prepare_sounds
from audiosurvey.data.table import Clip
from audiosurvey.reporting.listener import TerminalListener
from audiosurvey.runs.plan import TrainOptions
from audiosurvey.runs.results.other_scores import separation
from audiosurvey.runs.train import train
from audiosurvey.tensorfile import load_tensors
from audiosurvey.threads import one_thread
from audiosurvey.training.head import Head, LabelledEmbeddings, fit_head
from audiosurvey.training.loss import Loss, LossConfig

SHARE = 0.2
PENALTY = 0.003
FOLDS = range(1, 6)
MODES = ("cross-entropy, without", "bce, without", "cross-entropy, uniform", "bce, nothing", "a class of its own")


def tables(esc50: Path, folder: Path) -> dict[str, str]:
    """Writes the tables of sounds of no class; returns the category of each file."""
    with (esc50 / "meta" / "esc50.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["esc10"].lower() not in ("true", "1")]
    names = sorted({row["category"] for row in rows})
    train_names = set(random.Random(0).sample(names, 20))
    parts = {"train": train_names, "test": set(names) - train_names, "all": set(names)}
    for name, chosen in parts.items():
        with (folder / f"other-{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["path", "fold", "source", "category"])
            for row in rows:
                if row["category"] in chosen:
                    path = (esc50 / "audio" / row["filename"]).resolve()
                    writer.writerow([path, row["fold"], row["src_file"], row["category"]])
    return {row["filename"]: row["category"] for row in rows}


class Probes:
    """Linear probes on embeddings of clips and of sounds of no class."""

    def __init__(self, run: Path) -> None:
        config = read_stored(run / "config.yaml", "train again")
        sounds = prepare_sounds(config.dataset, config.sample_rate)
        assert sounds.others is not None
        tensors, about = load_tensors(run / "embeddings.safetensors")
        parts = tensors["embedding"].split(tensors["windows"].tolist())
        self.embedding = dict(zip(json.loads(about["clips"]), (part.mean(0) for part in parts), strict=True))
        self.classes = len(sounds.table.classes)
        self.clips = sounds.table.clips
        self.recorded = [clip for clip in sounds.others.clips if not is_made(clip.id)]
        self.made = [clip for clip in sounds.others.clips if is_made(clip.id)]

    def of(self, clips: Sequence[Clip]) -> torch.Tensor:
        return torch.stack([self.embedding[clip.id] for clip in clips])

    def fit(self, known: Sequence[Clip], others: Sequence[Clip], mode: str) -> Head:
        own, binary = mode == "a class of its own", mode.startswith("bce")
        width = self.classes + own
        target_NK = torch.eye(width)[[clip.labels[0] for clip in known]]
        x, y, weight = self.of(known), target_NK, torch.ones(len(known))
        if "without" not in mode:
            other_K = torch.full((width,), 0.0 if binary or own else 1 / width)
            if own:
                other_K[-1] = 1
            x, y = torch.cat([x, self.of(others)]), torch.cat([y, other_K.expand(len(others), -1)])
            each = len(known) * SHARE / (1 - SHARE) / len(others)
            weight = torch.cat([weight, torch.full((len(others),), each)])
        loss = Loss(LossConfig(name="bce" if binary else "cross_entropy"), False)
        return fit_head(LabelledEmbeddings(x, y, weight), loss, PENALTY)

    def measure(
        self, known: Sequence[Clip], others: Sequence[Clip], tested: Sequence[Sequence[Clip]], found: dict[str, list]
    ) -> None:
        """`tested`: clips, recorded and made sounds; their accuracy and separation are added to `found`."""
        for mode in MODES:
            head = self.fit(known, others, mode)
            logits = [head.logits(self.of(clips)).numpy() for clips in tested]
            right_N = logits[0][:, : self.classes].argmax(1) == [clip.labels[0] for clip in tested[0]]
            by_score = [scores(part_NK, mode) for part_NK in logits]
            for name in by_score[0]:
                told = separation(*(part[name] for part in by_score))
                assert told is not None
                row = (right_N.mean(), told.auroc, told.false_alarms, told.made_false_alarms)
                found.setdefault(f"{mode} | {name}", []).append(row)


def scores(logits_NK: np.ndarray, mode: str) -> dict[str, np.ndarray]:
    energy_N = np.logaddexp.reduce(logits_NK, axis=1)
    share_NK = np.exp(logits_NK - energy_N[:, None])
    if mode == "a class of its own":
        return {"all but this class": 1 - share_NK[:, -1], "best score": share_NK[:, :-1].max(1)}
    if mode.startswith("bce"):
        share_NK = 1 / (1 + np.exp(-logits_NK))
    return {"best score": share_NK.max(1), "highest logit": logits_NK.max(1), "energy": energy_N}


def show(found: dict[str, list], title: str) -> None:
    print(
        f"\n{title}\n| trained with | score | accuracy | AUROC | accepted | made accepted |\n|---|---|---|---|---|---|"
    )
    for name, rows in found.items():
        accuracy, auroc, accepted, made = np.mean(rows, axis=0)
        std = np.std([row[1] for row in rows], ddof=1)
        print(f"| {name} | {accuracy:.4f} | {auroc:.4f} ± {std:.4f} | {accepted:.3f} | {made:.3f} |")


def in_folds(clips: Iterable[Clip], folds: set[int]) -> list[Clip]:
    return [clip for clip in clips if clip.fold in folds]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("esc50", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    category = tables(given.esc50, given.folder)
    run = given.folder / "run"
    overrides = [
        f"dataset={{name: esc50, subset: esc10, root: {given.esc50}, other: {given.folder / 'other-all.csv'}}}",
        f"model.init={given.weights}",
        "model.views=1",
    ]
    loaded = load_config("probe-mn04", overrides)
    train(loaded, TrainOptions(run, [1], resume=run.exists(), device="cpu"), TerminalListener())
    probes = Probes(run)
    names = sorted(set(category.values()))
    first = sorted(random.Random(0).sample(names, 20))
    ten = set(random.Random(1).sample(first, 10))
    kind = {clip.id: category[clip.path.name] for clip in probes.recorded}
    train_others = [clip for clip in probes.recorded if kind[clip.id] in first]
    choice: dict[str, list] = {}
    test: dict[str, list] = {}
    with one_thread():
        for fold in FOLDS:
            after = fold % 5 + 1
            rest = set(FOLDS) - {fold, after}
            own = [clip for clip in train_others if kind[clip.id] in ten]
            new = [clip for clip in train_others if kind[clip.id] not in ten]
            tested = [in_folds(clips, {after}) for clips in (probes.clips, new, probes.made)]
            probes.measure(in_folds(probes.clips, rest), in_folds([*own, *probes.made], rest), tested, choice)
        known = {clip.source for clip in (*probes.clips, *train_others)}
        unheard = [clip for clip in probes.recorded if kind[clip.id] not in first and clip.source not in known]
        for fold in FOLDS:
            rest = set(FOLDS) - {fold}
            tested = [in_folds(probes.clips, {fold}), unheard, in_folds(probes.made, {fold})]
            probes.measure(in_folds(probes.clips, rest), in_folds([*train_others, *probes.made], rest), tested, test)
    show(choice, "Choice: validation folds, ten classes that were not trained on")
    show(test, f"Test: test folds, {len(unheard)} clips of the 20 classes that were never heard")


if __name__ == "__main__":
    main()
