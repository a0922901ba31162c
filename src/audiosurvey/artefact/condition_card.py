"""What a model card says of other recording conditions: a section of its own, replaced each time it is measured."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from audiosurvey.atomic import write_text

_SECTION = "## Other recording conditions"
_BEFORE = "## Labels"
"""The section goes in front of this one; to the end of a card without it."""
_METRICS = {"accuracy": "accuracy", "map": "mAP"}


def put_conditions(
    card: Path, rows: Sequence[dict[str, Any]], metric: str, *, fold: int | None = None, folds: Sequence[int] = ()
) -> None:
    """Puts the table into the card, in place of an earlier one. Does nothing where there is no card.

    `rows`: a `name`, the `metric` and the `mean_score` of each condition; `fold`: the fold that the model was tested
    on; `folds`: for a final model, those whose models were measured.
    """
    if not card.is_file():
        return
    text = _without(card.read_text(encoding="utf-8"))
    before, found, after = text.partition(f"\n{_BEFORE}\n")
    section = "\n\n".join([_SECTION, *_words(fold, folds), _table(rows, metric)])
    rest = f"\n\n{_BEFORE}\n{after}" if found else "\n"
    write_text(card, f"{before.rstrip()}\n\n{section}{rest}")


def _words(fold: int | None, folds: Sequence[int]) -> list[str]:
    how = (
        "each clip changed after resampling. The mean score is that of the best label: where it stays high while the "
        "metric falls, the model is confidently wrong."
    )
    if fold is not None:
        return [f"Test clips of fold {fold}, {how}"]
    numbers = ", ".join(map(str, folds))
    return [
        f"Mean over the test clips of fold{'s' if len(folds) > 1 else ''} {numbers}, {how}",
        "**These are not scores of this model**, but of the models of the folds.",
    ]


def _table(rows: Sequence[dict[str, Any]], metric: str) -> str:
    lines = [f"| condition | {_METRICS[metric]} | mean score |", "|---|---|---|"]
    lines += [f"| {row['name']} | {_number(row[metric], 3)} | {_number(row['mean_score'], 2)} |" for row in rows]
    return "\n".join(lines)


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _without(text: str) -> str:
    """The card without this section."""
    before, found, rest = text.partition(f"\n{_SECTION}\n")
    if not found:
        return text
    _, other, after = rest.partition("\n## ")
    return before + (f"\n## {after}" if other else "\n")
