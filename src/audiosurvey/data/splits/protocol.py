"""The `protocol` section: which weights are reported, and whether recordings may leak between the sides of a split."""

from typing import Literal

from pydantic import Field

from audiosurvey.section import Section


class ProtocolConfig(Section):
    """The evaluation protocol."""

    selection: Literal["auto", "last", "validation", "test"] = "auto"
    """`last`: a fixed number of epochs, the last (averaged) weights; `validation`: the next fold, cyclically, is held
    out of training and selects the epoch; `test`: the epoch is selected on the test fold itself, which is optimistic
    and marked so wherever the number is shown. `auto`: validation if there is a patience, otherwise last."""
    allow_leakage: bool = False
    """Train even if one recording (one source, one file, or equal content) is on both sides of a split; the result
    is marked."""
    test_every: int = Field(default=1, ge=0)
    """Interval in epochs at which the test fold is scored, for the curves only (selection: test scores it every
    epoch); 0: only at the end."""
