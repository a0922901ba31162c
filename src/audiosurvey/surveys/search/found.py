"""The outcome of a search: its trials and best configs, as files and as rows of the survey."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from audiosurvey.atomic import write_text
from audiosurvey.config.resolved import resolved_yaml
from audiosurvey.config.root import Config
from audiosurvey.surveys.folder import SurveyFolder
from audiosurvey.surveys.planning.grid import Recipe
from audiosurvey.surveys.planning.plan import PlannedRow
from audiosurvey.surveys.search.asked import searched_name
from audiosurvey.surveys.search.spec import SearchSpec
from audiosurvey.surveys.search.study import Study


@dataclass(frozen=True)
class BestRecipe:
    """What a search has found."""

    config: Config
    """Resolved. It names the folds on which it was tuned and is tested."""
    for_all: Config
    """To be trained on any fold: it names all folds that it was tuned on."""
    fold: int | None
    """The tested fold that it is for; None: all."""
    values: dict[str, Any]
    score: float
    """On the validation folds."""


def write_trials(folder: SurveyFolder, spec: SearchSpec, studies: Mapping[int | None, Study]) -> None:
    """Writes search/trials.csv at the end of a search. `studies`: by tested fold, or one for all."""
    rows = [["fold", "trial", "state", "score", *spec.space]]
    for fold, study in studies.items():
        for trial, score, state in study.scores():
            # At the end of a search, only trials with a failed cell are still open.
            state = "fail" if state == "running" else state
            shown = [json.dumps(trial.values[key]) for key in spec.space]
            rows.append([str(fold or "all"), str(trial.number), state, "" if score is None else f"{score:.6g}", *shown])
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    write_text(folder.path / "search" / "trials.csv", text.getvalue())


def write_best(folder: SurveyFolder, best: Sequence[BestRecipe]) -> None:
    """Writes search/best.yaml, or with the scheme `nested` a file for each tested fold, in place of earlier ones."""
    texts = {f"best-fold-{one.fold}.yaml" if one.fold else "best.yaml": resolved_yaml(one.for_all) for one in best}
    for path in (folder.path / "search").glob("best*.yaml"):
        if path.name not in texts:
            path.unlink()
    for name, text in texts.items():
        write_text(folder.path / "search" / name, text)


def best_rows(row: PlannedRow, best: Sequence[BestRecipe]) -> list[PlannedRow]:
    """Rows that train the official folds with the recipes that were found: one row, whose folds may differ in it."""
    rows = []
    for one in best:
        recipe: Recipe = replace(row.recipe, name=searched_name(row.recipe.name), sweep={})
        rows.append(PlannedRow(recipe, one.config, (one.fold,) if one.fold else row.folds))
    return rows
