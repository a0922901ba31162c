"""What has been run: the run folders under a folder, with what each found so far."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from audiosurvey.evaluation.results import Results, read_json
from audiosurvey.report.summary import caveats


@dataclass(frozen=True)
class Listed:
    """One run folder."""

    path: Path
    results: Results | None
    """None before its first fold has ended."""
    dataset: str
    model: str

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for `runs --json`."""
        found = self.results or {}
        return {
            "run": self.path.as_posix(),
            "dataset": self.dataset,
            "model": self.model,
            "folds": [row["fold"] for row in found.get("folds", [])],
            "mean": found.get("mean", {}),
            "std": found.get("std", {}),
            "seconds": found.get("seconds", 0.0),
            "caveats": caveats(found) if found else [],
        }


def list_runs(folder: Path) -> list[Listed]:
    """Every run in `folder` or below it, in the order of their names; a folder that cannot be read as one is left
    out."""
    runs = [_listed(config.parent) for config in sorted(folder.rglob("config.yaml")) if _is_run(config.parent)]
    return [run for run in runs if run is not None]


def _is_run(folder: Path) -> bool:
    # A model's folder has a config.yaml too.
    return (folder / "environment.json").is_file() and not (folder / "model.json").exists()


def _listed(folder: Path) -> Listed | None:
    try:
        config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
        results = read_json(folder / "results.json") if (folder / "results.json").exists() else None
        dataset, model = config["dataset"], config["model"]
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        return None
    name = dataset["name"] + (f" ({dataset['subset']})" if dataset.get("subset") else "")
    return Listed(folder, results, name, model.get("preset") or f"{len(model.get('blocks') or [])} blocks")
