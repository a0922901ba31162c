"""Facts of a run beside its scores: data set, clips left out, pretraining, final model, and the run it continues."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field

from audiosurvey.data.table import Ignored, Table
from audiosurvey.runs.results.stored import StoredPart

if TYPE_CHECKING:
    from audiosurvey.data.store.store import Skipped, Store


class DatasetFacts(StoredPart):
    """The data set that was used."""

    name: str
    subset: str | None
    given_title: str | None = Field(default=None, validation_alias="title", serialization_alias="title")
    sample_rate: int = 0
    clips: int = 0
    """Without skipped clips."""
    hash: str
    """Of labels, folds, sources and contents."""
    licence: str | None = None

    @classmethod
    def of(cls, table: Table, store: "Store", sample_rate: int) -> Self:
        facts = cls(
            name=table.name,
            subset=table.subset,
            sample_rate=sample_rate,
            clips=len(table.clips),
            hash=store.hash,
            licence=table.licence,
        )
        return facts.changed(given_title=table.given_title) if table.given_title else facts

    @property
    def title(self) -> str:
        """What a reader is shown: the title, else the name and the subset."""
        return self.given_title or self.name + (f" ({self.subset})" if self.subset else "")


class LeftOutClip(StoredPart):
    """A clip that was ignored or skipped, and why."""

    clip: str
    reason: str


class PretrainingFacts(StoredPart):
    """What a pretraining used and left out."""

    dataset: str
    hash: str
    licence: str | None = None
    classes: list[str] = []
    clips: int = 0
    held_out: int = 0
    left_out: list[str] = []
    """Clips whose recordings are in the target data too."""
    ignored: list[LeftOutClip] = []
    skipped: list[LeftOutClip] = []
    epochs: int = 0
    seconds: float = 0.0
    last: dict[str, Any] = {}
    """The record of the last epoch."""


class FinalFacts(StoredPart):
    """The model trained on all folds."""

    model: str
    """Its folder, relative to the run folder."""
    folds: list[int]
    """Folds whose scores it carries."""
    clips: int
    epochs: int
    epochs_from: str
    seconds: float


def clips_left_out(clips: "Iterable[Ignored | Skipped]") -> list[LeftOutClip]:
    return [LeftOutClip(clip=clip.id, reason=clip.reason) for clip in clips]


class ParentFacts(StoredPart):
    """The run that another one continued with `train --more`."""

    run: str
    """Its folder, as it was given."""
    epochs: int
    """Epochs that it had trained."""
