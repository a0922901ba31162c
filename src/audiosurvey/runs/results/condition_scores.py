"""Scores of a run on test clips under other recording conditions, as typed data: the form of conditions.json."""

from pydantic import Field

from audiosurvey.runs.results.stored import StoredPart


class ConditionScores(StoredPart):
    """Scores on test clips recorded otherwise; the metric is a further key."""

    name: str
    mean_score: float | None
    """Mean score of the best label."""


class FoldConditions(StoredPart):
    fold: int
    clips: int
    conditions: list[ConditionScores]


class ConditionResults(StoredPart):
    """The form of conditions.json."""

    schema_version: int = Field(validation_alias="schema", serialization_alias="schema")
    version: str
    metric: str
    """`accuracy`, or `map` for several labels."""
    mean: list[ConditionScores]
    folds: list[FoldConditions]
