"""results.json: what a run found, written anew each time a fold ends."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from audiosurvey.atomic import write_text
from audiosurvey.config.root import Config
from audiosurvey.data.sets.registry import is_published
from audiosurvey.data.store.store import Store
from audiosurvey.data.table import Table
from audiosurvey.errors import UserError
from audiosurvey.training.metrics import mean_and_std, names_for, recall
from audiosurvey.version import __version__

Results = dict[str, Any]
SCHEMA = 1


def new_results(config: Config, table: Table, store: Store, *, leaking: bool) -> Results:
    """The results of a run of which no fold is trained yet. `config` is resolved, `table` without skipped clips."""
    return {
        "schema": SCHEMA,
        "version": __version__,
        "dataset": {
            "name": table.name,
            "subset": table.subset,
            "sample_rate": config.sample_rate,
            "clips": len(table.clips),
            "hash": store.hash,
            "licence": table.licence,
        },
        "protocol": config.protocol.model_dump(mode="json"),
        "official": False,
        "not_official": None,
        "selection": config.protocol.selection,
        "optimistic": config.protocol.selection == "test",
        "leaking": leaking,
        "seed": config.seed,
        # What a later merge goes by: the whole experiment, and which folds there are.
        "config": config.model_dump(mode="json"),
        "all_folds": list(table.folds),
        "as_published": table.official,
        "classes": list(table.classes),
        "multi_label": table.multi_label,
        "init": None,
        "folds": [],
        "final": None,
        "mean": {},
        "std": {},
        "parameters": None,
        "macs": None,
        "seconds": 0.0,
        "confusion": None,
        "recall": None,
        "ignored": [{"clip": left.id, "reason": left.reason} for left in table.ignored],
        "skipped": [{"clip": bad.id, "reason": bad.reason} for bad in store.skipped],
        "notes": list(table.notes),
    }


def metric_names(results: Results) -> list[str]:
    return names_for(results["multi_label"])


def add_fold(results: Results, row: dict[str, Any], confusion_KK: np.ndarray | None) -> None:
    """Puts a fold's row in, and with it the means, the pooled confusion matrix, and whether it is official."""
    add_folds(results, [row], confusion_KK)


def add_folds(results: Results, rows: Sequence[dict[str, Any]], confusion_KK: np.ndarray | None) -> None:
    """Puts the rows of folds in; `confusion_KK` is pooled over them."""
    folds = sorted([*results["folds"], *rows], key=lambda r: r["fold"])
    assert len({row["fold"] for row in folds}) == len(folds), "a fold is recorded once"
    results["folds"] = folds
    results["mean"], results["std"] = mean_and_std(folds, metric_names(results))
    # Of the whole machine: folds that were trained side by side had a share of it each.
    results["seconds"] = round(sum(fold["seconds"] / fold.get("side_by_side", 1) for fold in folds), 3)
    results["not_official"] = _why_not(results)
    results["official"] = results["not_official"] is None
    if confusion_KK is not None:
        pooled = np.asarray(results["confusion"] or np.zeros_like(confusion_KK)) + confusion_KK
        results["confusion"] = pooled.tolist()
        results["recall"] = dict(zip(results["classes"], recall(pooled), strict=True))


def _why_not(results: Results) -> str | None:
    """Why the mean may not be compared with the literature; None where it may."""
    trained = [row["fold"] for row in results["folds"]]
    if not is_published(results["dataset"]["name"]):
        return "this data set has none"
    if skipped := len(results["skipped"]):
        return f"{skipped} clip{'s' if skipped > 1 else ''} skipped"
    if ignored := len(results.get("ignored", ())):
        return f"{ignored} clip{'s' if ignored > 1 else ''} left out by dataset.ignore"
    if not results["as_published"]:
        return "not the whole data set as published"
    if results["leaking"]:
        return "one recording stands on both sides of a split"
    if trained != results["all_folds"]:
        return (
            f"fold{'s' if len(trained) > 1 else ''} {', '.join(map(str, trained))} of {len(results['all_folds'])} only"
        )
    return None


def write_json(path: Path, value: Any) -> None:
    """JSON written beside `path` and renamed there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path, mend: str = "copy it again") -> dict[str, Any]:
    """The mapping in a JSON file. Raises UserError, with this mend, for a file that is missing or damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: is missing; {mend}") from None
    except (ValueError, RecursionError):
        raise UserError(f"{path}: damaged, not JSON; {mend}") from None
    if not isinstance(found, dict):
        raise UserError(f"{path}: damaged, not a mapping of names to values; {mend}")
    return found


def read_results(path: Path, mend: str) -> Results:
    """What a results.json holds. Raises UserError, with this mend, for one that is damaged; also for one of another
    schema, which only the version that wrote it reads."""
    return checked_results(read_json(path, mend), path, mend)


def checked_results(results: Results, path: Path, mend: str) -> Results:
    """These results, which were read from `path`; raises UserError as `read_results` does."""
    schema = results.get("schema", SCHEMA)
    if schema != SCHEMA:
        wrote = f"audiosurvey {results['version']}" if "version" in results else "the version that wrote it"
        raise UserError(f"{path}: results of schema {schema}; this version reads {SCHEMA}; use {wrote}")
    if fault := _fault(results):
        raise UserError(f"{path}: damaged, {fault}; {mend}")
    return results


class _Part(BaseModel):
    model_config = ConfigDict(strict=True)


class _Dataset(_Part):
    name: str
    subset: str | None
    hash: str


class _Row(_Part):
    fold: int
    clips: int
    epochs: int
    chosen_epoch: int
    seconds: float


class _Skipped(_Part):
    clip: str
    reason: str


class _Form(_Part):
    """What has to be in results.json for it to be shown, gone on with and evaluated again."""

    dataset: _Dataset
    official: bool
    not_official: str | None
    selection: str
    optimistic: bool
    leaking: bool
    all_folds: list[int]
    as_published: bool
    classes: list[str]
    multi_label: bool
    folds: list[_Row]
    mean: dict[str, float | None]
    std: dict[str, float | None]
    seconds: float
    confusion: list[list[int]] | None
    skipped: list[_Skipped]
    notes: list[str]


def _fault(results: Results) -> str | None:
    """The first thing that is missing or of another kind than results are made of."""
    try:
        _Form.model_validate(results)
    except ValidationError as error:
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg'][:1].lower()}{first['msg'][1:]}"
    names = set(metric_names(results))
    for row in results["folds"]:
        for name in names:
            if name not in row or not isinstance(row[name], float | int | None):
                return f"fold {row['fold']}: no {name}"
    if not names >= results["mean"].keys() == results["std"].keys():
        return "mean and std: not of these metrics"
    classes = len(results["classes"])
    if results["confusion"] and [len(row) for row in results["confusion"]] != [classes] * classes:
        return f"confusion: not {classes} rows of {classes}"
    return None
