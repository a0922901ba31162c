"""The run folders under a folder, with the results of each so far."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from audiosurvey.errors import UserError
from audiosurvey.runs.results.results import RunResults
from audiosurvey.runs.results.run_folder import RunFolder
from audiosurvey.runs.validity import caveats, imbalance


@dataclass(frozen=True)
class ListedRun:
    """One run folder."""

    path: Path
    results: RunResults | None
    """None before its first fold has ended."""
    dataset: str
    model: str
    begun: str = ""
    """The date on which it began, by the time of its config.yaml."""
    final: bool = False
    """Whether there is a final model."""

    def as_json(self) -> dict[str, Any]:
        """The form of `runs --json`."""
        found = self.results
        return {
            "run": self.path.as_posix(),
            "dataset": self.dataset,
            "model": self.model,
            "begun": self.begun,
            "final": self.final,
            "folds": found.done if found else [],
            "mean": found.mean if found else {},
            "std": found.std if found else {},
            "seconds": found.seconds if found else 0.0,
            "imbalance": imbalance(found) if found else [],
            "caveats": caveats(found) if found else [],
        }


def list_runs(folder: Path, leave_out: Callable[[str], object]) -> list[ListedRun]:
    """Every run in `folder` or below it, sorted by name.

    `leave_out` is called for each that cannot be read, with a line that gives the reason.
    """
    runs: list[ListedRun] = []
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
    # Cells of a survey are listed as parts of the runs made from them.
    return begun and not (folder / "model.json").exists() and folder.parent.name not in ("cells", "replaced")


def _listed(run: RunFolder) -> ListedRun:
    try:
        # Not validated: runs of other versions, with unknown keys, are listed too.
        config = yaml.safe_load(run.config_path.read_text(encoding="utf-8"))
        dataset, model = config["dataset"], config["model"]
        name = dataset.get("title") or dataset["name"] + (f" ({dataset['subset']})" if dataset.get("subset") else "")
        network = model.get("preset") or _network(model.get("blocks") or [])
        begun = time.strftime("%Y-%m-%d", time.localtime(run.config_path.stat().st_mtime))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError):
        raise UserError(f"{run.config_path}: damaged, not the config of a run; restore a copy of it") from None
    final = (run.model / "model.json").exists()
    return ListedRun(run.path, run.read_results(), name, network, begun, final)


def _network(blocks: list[Any]) -> str:
    """What to call a network without a preset: its pretrained encoder, or the number of its blocks."""
    for block in blocks:
        if isinstance(block, dict) and "encoder" in block:
            file = block["encoder"].get("file")
            return str(block["encoder"].get("hub")) if file is None else Path(file).name
    return f"{len(blocks)} blocks"
