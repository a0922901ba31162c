"""Learning-rate schedules as functions of the step: nothing to store, nothing to restore."""

import math
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from audiosurvey.section import Section


class ScheduleConfig(Section):
    """How the learning rate moves over the steps of a stage. Shares are of all its steps."""

    name: Literal["auto", "constant", "cosine", "one_cycle", "ramp"] = "auto"
    """`constant`; `cosine`: linear warm-up, then half a cosine down to `final`; `one_cycle`: half a cosine up from
    `start`, half a cosine down to `final` (arXiv 1708.07120); `ramp`: exponential warm-up, a plateau, a line down to
    `final` (EfficientAT). `auto`: cosine where the number of epochs is known, constant where patience decides (as the
    original). Without a known end every schedule is constant."""
    warmup: float = Field(default=0.1, ge=0, lt=1)
    """Share of the steps in which the rate rises to `lr`."""
    start: float = Field(default=0.04, ge=0, le=1)
    """Rate at the first step relative to `lr` (one_cycle)."""
    final: float = Field(default=0.01, ge=0, le=1)
    """Rate at the end relative to `lr`."""
    ramp_start: float = Field(default=0.1, ge=0, le=1)
    """Where the line down begins, as a share of the steps (ramp)."""
    ramp_end: float = Field(default=1.0, ge=0, le=1)
    """Where the line down ends, as a share of the steps (ramp)."""

    @field_validator("ramp_end")
    @classmethod
    def _after_its_start(cls, value: float, info: ValidationInfo) -> float:
        start = info.data.get("ramp_start", 0.0)
        if value < start:
            raise ValueError(
                f"the rate would stop falling at {value:g} of the steps, before it begins to, at {start:g}"
            )
        return value


def rate_factor(config: ScheduleConfig, step: int, total_steps: int) -> float:
    """Factor on `lr` at optimizer step `step` of `total_steps`, counted from 0."""
    if config.name in ("constant", "auto") or total_steps <= 0:
        return 1.0
    shape = {"cosine": _cosine, "one_cycle": _one_cycle, "ramp": _ramp}[config.name]
    return shape(config, step, total_steps)


def _cosine(config: ScheduleConfig, step: int, total_steps: int) -> float:
    # The warm-up's first step is above zero, and the last step of all reaches `final` exactly.
    warm = round(config.warmup * total_steps)
    if step < warm:
        return (step + 1) / warm
    progress = min(1.0, (step - warm) / max(1, total_steps - 1 - warm))
    return _half_cosine(1.0, config.final, progress)


def _one_cycle(config: ScheduleConfig, step: int, total_steps: int) -> float:
    # The peak lies at step warmup * total - 1, as in torch's OneCycleLR, which the test compares with.
    peak = config.warmup * total_steps - 1
    if step <= peak:
        return _half_cosine(config.start, 1.0, step / peak if peak > 0 else 1.0)
    return _half_cosine(1.0, config.final, min(1.0, (step - peak) / max(1e-9, total_steps - 1 - peak)))


def _ramp(config: ScheduleConfig, step: int, total_steps: int) -> float:
    # The warm-up is exp(-5 (1 - x)^2) in its share x; at the very beginning x counts as 1/20, half of EfficientAT's
    # first of ten epochs.
    share = step / total_steps
    warming = share < config.warmup
    rise = math.exp(-5 * (1 - max(share / config.warmup, 0.05)) ** 2) if warming else 1.0
    if share <= config.ramp_start:
        return rise
    if share >= config.ramp_end:
        return rise * config.final
    left = (config.ramp_end - share) / (config.ramp_end - config.ramp_start)
    return rise * (config.final + (1 - config.final) * left)


def _half_cosine(begin: float, end: float, progress: float) -> float:
    return end + (begin - end) * 0.5 * (1 + math.cos(math.pi * progress))
