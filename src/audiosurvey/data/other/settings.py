"""`dataset.other`: sounds that belong to none of the classes."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from audiosurvey.section import Section


class OtherConfig(Section):
    """The network learns to give them low scores, and the thresholds for `unknown` are chosen with them. They are
    divided into folds as the clips are, so that each fold is measured with some that its model was not trained on, and
    they are never part of the accuracy."""

    path: Path | None = None
    """A folder of sounds, searched recursively, or a CSV table with a column `path` and, if known, `source` and `fold`
    or `split` (named as in `dataset.columns`; a label is not read). null: made sounds alone."""
    share: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Share of the clips of an epoch that are such sounds, drawn anew for each epoch; a sound comes at most once in an
    epoch. 0: none are trained on, but they are measured and thresholds are chosen with them."""
    made: Annotated[float, Field(ge=0, le=1)] = 0.25
    """Share of these that are made: silence, mains hum, and white and pink noise at many levels. 0: none are made."""

    @field_validator("made")
    @classmethod
    def _any(cls, value: float, info: ValidationInfo) -> float:
        if value == 0 and info.data.get("path", Path()) is None:
            raise ValueError("without a path, made sounds are all there are; give a path, or leave dataset.other out")
        return value


def other_section(value: Path | OtherConfig | None) -> OtherConfig | None:
    """`dataset.other` as a section: a path alone stands for one with the defaults."""
    return OtherConfig(path=value) if isinstance(value, Path) else value
