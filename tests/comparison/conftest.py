"""Folders of predictions, and runs with no more than the files that a comparison reads."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audiosurvey.data.table import Clip
from audiosurvey.runs.results.predictions import write_predictions

CLASSES = ("bark", "rain", "siren", "wind")
FOLDS, CLIPS_A_FOLD = 5, 40


def clips_of(fold: int) -> list[Clip]:
    """Two clips of each recording."""
    return [
        Clip(f"{fold}-{n}.wav", Path("x"), (n // 2 % len(CLASSES),), fold=fold, source=f"r{fold}-{n // 2}")
        for n in range(CLIPS_A_FOLD)
    ]


def scores_for(clips: Sequence[Clip], accuracy: float, rng: np.random.Generator) -> np.ndarray:
    """Scores whose best class is the true one for this share of clips."""
    scores = rng.dirichlet(np.ones(len(CLASSES)), len(clips)) * 0.4
    for row, clip in enumerate(clips):
        right = rng.random() < accuracy
        scores[row, clip.labels[0] if right else (clip.labels[0] + 1) % len(CLASSES)] += 0.6
    return scores.astype(np.float32)


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """`make_run("runs/a", accuracy=0.8, seed=0, **keys of results.json)`: a finished run."""

    def make(
        name: str, accuracy: float = 0.8, seed: int = 0, folds: Sequence[int] = range(1, FOLDS + 1), **keys: Any
    ) -> Path:
        run = tmp_path / name
        run.mkdir(parents=True)
        rows = []
        for fold in folds:
            clips = clips_of(fold)
            rng = np.random.default_rng([seed, fold, round(1000 * accuracy)])
            (run / f"fold-{fold}").mkdir()
            path = run / f"fold-{fold}" / "predictions.csv"
            write_predictions(path, clips, fold, CLASSES, scores_for(clips, accuracy, rng))
            rows.append(
                {"fold": fold, "accuracy": accuracy, "top3_accuracy": 1.0, "auroc": 0.9, "loss": 0.5}
                | {"clips": CLIPS_A_FOLD, "train_clips": 160, "epochs": 1, "chosen_epoch": 1, "seconds": 10.0}
            )
        metrics = dict.fromkeys(("accuracy", "top3_accuracy", "auroc", "loss"), accuracy)
        results = {
            "schema": 1,
            "version": "0.1.0",
            "dataset": {"name": "folder", "subset": None, "hash": "h"},
            "protocol": {"selection": "last"},
            "official": False,
            "not_official": "this data set has none",
            "selection": "last",
            "optimistic": False,
            "leaking": False,
            "seed": seed,
            "config": {"seed": seed, "train": {"lr": accuracy}},
            "all_folds": list(range(1, FOLDS + 1)),
            "as_published": False,
            "classes": list(CLASSES),
            "multi_label": False,
            "folds": rows,
            "mean": metrics,
            "std": metrics,
            "parameters": round(1000 * accuracy),
            "macs": round(1e6 * accuracy),
            "seconds": 50.0,
            "confusion": None,
            "skipped": [],
            "notes": [],
        } | keys
        environment = {"host": "here", "processors": 2, "device": "cpu", "torch_threads": 2}
        (run / "results.json").write_text(json.dumps(results), encoding="utf-8")
        (run / "environment.json").write_text(json.dumps(environment), encoding="utf-8")
        (run / "config.yaml").write_text("{}\n", encoding="utf-8")
        return run

    return make


@pytest.fixture
def make_survey(make_run: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """`make_survey({("a", 0): {"accuracy": 0.8, "sweep": {...}}, ...})`: a survey with a run for each row and seed."""

    def make(rows: dict[tuple[str, int], dict[str, Any]], name: str = "survey") -> Path:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        for file in ("survey.yaml", "plan.json"):
            (folder / file).write_text("{}\n", encoding="utf-8")
        for (row, seed), given in rows.items():
            facts = {key: given[key] for key in ("sweep", "dataset", "config") if key in given}
            rest = {key: value for key, value in given.items() if key not in ("sweep", "dataset", "config")}
            run = make_run(f"{name}/runs/{row}-seed{seed}-{len(list(folder.glob('runs/*')))}", seed=seed, **rest)
            told = {"name": row, "config": row, "dataset": None, "sweep": {}, "seed": seed} | facts
            (run / "row.json").write_text(json.dumps(told), encoding="utf-8")
        return folder

    return make


@pytest.fixture
def make_foreign(tmp_path: Path) -> Callable[..., Path]:
    """`make_foreign("theirs", accuracy=0.7, drop=("source",), **{"1-0.wav": {"label": "rain"}})`: one predictions.csv
    of another program, with all folds."""
    import csv

    def make(
        name: str, accuracy: float = 0.7, seed: int = 9, drop: Sequence[str] = ("source", "predicted"), **changed: Any
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        rows: list[dict[str, Any]] = []
        for fold in range(1, FOLDS + 1):
            clips = clips_of(fold)
            for clip, score_K in zip(
                clips, scores_for(clips, accuracy, np.random.default_rng([seed, fold])), strict=True
            ):
                row = {"clip": clip.id, "source": clip.source, "fold": fold, "label": CLASSES[clip.labels[0]]}
                row |= {f"p:{name}": float(score) for name, score in zip(CLASSES, score_K, strict=True)}
                rows.append(row | changed.get(clip.id, {}))
        rows = [{key: value for key, value in row.items() if key not in drop} for row in rows if row["clip"]]
        with (folder / "predictions.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(reversed(rows[0])))
            writer.writeheader()
            writer.writerows(reversed(rows))
        return folder

    return make
