"""What has been run: the run folders under a folder, with what each found so far."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from audiosurvey.errors import UserError
from audiosurvey.report.summary import caveats
from audiosurvey.runs.results.results import Results
from audiosurvey.runs.results.run_folder import RunFolder


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


def list_runs(folder: Path, leave_out: Callable[[str], None]) -> list[Listed]:
    """Every run in `folder` or below it, in the order of their names.

    `leave_out` is told of each that cannot be read, in a line with the reason.
    """
    runs: list[Listed] = []
    for config in sorted(folder.rglob("config.yaml")):
        if _is_run(config.parent):
            try:
                runs.append(_listed(RunFolder(config.parent)))
            except UserError as error:
                leave_out(str(error))
    return runs


def _is_run(folder: Path) -> bool:
    # A model's folder has a config.yaml too.
    begun = (folder / "environment.json").is_file() or (folder / "results.json").is_file()
    return begun and not (folder / "model.json").exists()


def _listed(run: RunFolder) -> Listed:
    try:
        # As it stands: a run of another version, with keys that are not known here, is listed too.
        config = yaml.safe_load(run.config_path.read_text(encoding="utf-8"))
        dataset, model = config["dataset"], config["model"]
        name = dataset["name"] + (f" ({dataset['subset']})" if dataset.get("subset") else "")
        network = model.get("preset") or f"{len(model.get('blocks') or [])} blocks"
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError):
        raise UserError(f"{run.config_path}: damaged, not the config of a run; put back a copy of it") from None
    return Listed(run.path, run.read_results(), name, network)
