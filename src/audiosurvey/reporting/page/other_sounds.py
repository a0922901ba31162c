"""The section on sounds of no class: how well they are told from the test clips, and the highest false alarms."""

from dataclasses import dataclass
from typing import Any

from audiosurvey.reporting.page.material import RunMaterial
from audiosurvey.runs.results.fold_predictions import OTHER_FILE
from audiosurvey.runs.results.other_scores import OTHER_COUNTS, OTHER_TITLES
from audiosurvey.runs.results.predictions import read_predictions

_SHOWN = 12
_NOTE = (
    "Sounds of none of the classes that the model of the fold was not trained on, against its test clips, by the score "
    "of the best class. Accepted: the share above the threshold that keeps 95 % of the test clips."
)


@dataclass(frozen=True)
class FalseAlarm:
    """A sound of no class with a high score."""

    clip: str
    fold: int
    label: str
    score: float


def other_sounds(material: RunMaterial) -> dict[str, Any] | None:
    """Rows of the table and the highest false alarms; None for a run without such sounds."""
    results = material.results
    rows = {str(row.fold): row.other.as_json() for row in results.folds if row.other is not None}
    if not rows or results.other is None:
        return None
    if len(results.folds) > 1:
        rows |= {"mean": results.other.mean, "std": results.other.std}
    values = list(rows.values())
    shown = {name: title for name, title in OTHER_TITLES.items() if any(row.get(name) is not None for row in values)}
    counts = {name: title for name, title in OTHER_COUNTS.items() if any(row.get(name) for row in values)}
    return {
        "note": _NOTE,
        "names": ["fold", *shown.values(), *counts.values()],
        "rows": [
            [fold, *(_number(row.get(name)) for name in shown), *(str(row.get(name, "")) for name in counts)]
            for fold, row in rows.items()
        ],
        "alarms": _false_alarms(material),
    }


def _false_alarms(material: RunMaterial) -> list[FalseAlarm]:
    """The sounds of no class with the highest scores; none where the files of their scores are missing or damaged."""
    found: list[FalseAlarm] = []
    for fold in material.results.done:
        try:
            clips, _, scores_NK = read_predictions(material.run.fold(fold) / OTHER_FILE)
        except (OSError, ValueError):
            continue
        if scores_NK.shape[1] != len(material.results.classes):
            continue
        for clip, score_K in zip(clips, scores_NK, strict=True):
            best = int(score_K.argmax())
            found.append(FalseAlarm(clip, fold, material.results.classes[best], float(score_K[best])))
    return sorted(found, key=lambda alarm: (-alarm.score, alarm.clip))[:_SHOWN]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
