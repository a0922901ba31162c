"""The `protocol` section: which weights are reported, and what may stand on both sides of a split."""

from typing import Literal

from pydantic import Field

from audiosurvey.section import Section


class ProtocolConfig(Section):
    """How a score is earned."""

    selection: Literal["auto", "last", "validation", "test"] = "auto"
    """`last`: a fixed number of epochs, the last (averaged) weights; `validation`: the next fold, cyclically, is held
    out of training and picks the epoch; `test`: the epoch is picked on the test fold itself, which is optimistic and
    marked so wherever the number is shown. `auto`: validation where there is a patience, else last."""
    allow_leakage: bool = False
    """Train although one recording (one source, one file, or equal content) stands on both sides of a split; the result
    is marked."""
    test_every: int = Field(default=1, ge=0)
    """Epochs from one look at the test fold to the next, for the curves only (selection: test looks at every epoch);
    0: at the end alone."""
