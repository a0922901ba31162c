"""Learning-rate schedules as functions of the step: nothing to store, nothing to restore."""

import math
from typing import Literal

from pydantic import Field

from audiosurvey.section import Section


class ScheduleConfig(Section):
    """How the learning rate moves over the steps of a stage."""

    name: Literal["auto", "constant", "cosine"] = "auto"
    """`cosine`: linear warm-up, then half a cosine down to `final`; `constant`: warm-up only if `warmup` is given.
    `auto`: cosine where the number of epochs is known, constant where patience decides (as the original)."""
    warmup: float = Field(default=0.1, ge=0, lt=1)
    """Share of all steps in which the rate rises to `lr` (cosine); without a known end: of an epoch (constant)."""
    final: float = Field(default=0.01, ge=0, le=1)
    """Rate at the last step relative to `lr` (cosine)."""


def rate_factor(config: ScheduleConfig, step: int, total_steps: int) -> float:
    """Factor on `lr` at optimizer step `step` of `total_steps`, counted from 0.

    The warm-up takes its full first step above zero: step 0 of n warm-up steps has 1/n. `constant` is 1 throughout.
    """
    if config.name == "constant" or total_steps <= 0:
        return 1.0
    warm = round(config.warmup * total_steps)
    if step < warm:
        return (step + 1) / warm
    # The last step (total_steps - 1) reaches `final` exactly.
    progress = min(1.0, (step - warm) / max(1, total_steps - 1 - warm))
    return config.final + (1 - config.final) * 0.5 * (1 + math.cos(math.pi * progress))
