"""The result of evaluating a model on other data."""

from pydantic import Field, PrivateAttr

from audiosurvey.runs.results.class_scores import ClassScores, measure_classes
from audiosurvey.runs.results.facts import DatasetFacts, LeftOutClip
from audiosurvey.runs.results.mixed_up import MixedUp, mixed_up
from audiosurvey.runs.results.other_scores import OtherScores
from audiosurvey.runs.results.run_predictions import RunPredictions
from audiosurvey.runs.results.stored import StoredPart


class EvaluationResult(StoredPart):
    """A model on other data."""

    schema_version: int = Field(validation_alias="schema", serialization_alias="schema")
    model: str
    dataset: DatasetFacts
    classes: list[str]
    metrics: dict[str, float | None]
    clips: int
    trained_on: list[str]
    """Clips of recordings that the model was trained on."""
    metrics_unseen: dict[str, float | None] | None
    """Metrics without these; None if there are none, or no others."""
    outside: list[dict[str, str]] = []
    """Clips outside the range of the training clips, with a note on each."""
    confusion: list[list[int]] | None
    recall: dict[str, float | None] | None
    by_class: dict[str, ClassScores] = {}
    """Scores of each class on the clips that the model was not trained on, or on all if there are no others; the same
    for `mixed_up`."""
    mixed_up: list[MixedUp] = []
    ignored: list[LeftOutClip]
    skipped: list[LeftOutClip]
    other: OtherScores | None = None
    """How well sounds of no class are told from the clips, if any were given."""
    _predictions: RunPredictions | None = PrivateAttr(default=None)

    @property
    def predictions(self) -> RunPredictions | None:
        """All clips with their scores; None for results that were read from a file."""
        return self._predictions

    @property
    def judged(self) -> RunPredictions | None:
        """Those of the clips that the model was not trained on, or of all if there are no others."""
        if self._predictions is None or not self.metrics_unseen:
            return self._predictions
        return self._predictions.without(set(self.trained_on))

    def with_predictions(self, found: RunPredictions) -> "EvaluationResult":
        """With the predictions that they were computed from, and what these say of single classes."""
        added = self.changed()
        added._predictions = found
        judged = added.judged or found
        scored = judged.scores_NK, judged.truth_NK, judged.classes
        by_class = measure_classes(*scored, multi_label=judged.multi_label)
        return added.changed(by_class=by_class, mixed_up=mixed_up(judged))
