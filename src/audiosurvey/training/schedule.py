"""Learning rate schedules as stateless functions of the step."""

import math
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from audiosurvey.section import Section


class ScheduleConfig(Section):
    """The learning rate schedule of a stage. Fractions refer to all its steps."""

    name: Literal["auto", "constant", "cosine", "one_cycle", "ramp"] = "auto"
    """`constant`; `cosine`: linear warm-up, then cosine decay to `final`; `one_cycle`: cosine increase from `start`,
    then cosine decay to `final` (arXiv 1708.07120); `ramp`: exponential warm-up, plateau, linear decay to `final`
    (EfficientAT). `auto`: `cosine` if the number of epochs is fixed, `constant` with early stopping (like the original
    system); decided for each stage by its own settings. Without a fixed end, all schedules are constant."""
    warmup: float = Field(default=0.1, ge=0, lt=1)
    """Fraction of the steps for the warm-up to `lr`."""
    start: float = Field(default=0.04, ge=0, le=1)
    """Initial learning rate relative to `lr` (one_cycle)."""
    final: float = Field(default=0.01, ge=0, le=1)
    """Final learning rate relative to `lr`."""
    ramp_start: float = Field(default=0.1, ge=0, le=1)
    """Start of the linear decay, as a fraction of the steps (ramp)."""
    ramp_end: float = Field(default=1.0, ge=0, le=1)
    """End of the linear decay, as a fraction of the steps (ramp)."""
    momentum_low: float | None = Field(default=None, ge=0, lt=1)
    """Minimum momentum (one_cycle): the optimizer's `beta1` or `momentum` decreases to this as the learning rate
    increases, and returns as it decays (torch's OneCycleLR cycles between 0.95 and 0.85). null: constant momentum."""

    @field_validator("ramp_end")
    @classmethod
    def _after_its_start(cls, value: float, info: ValidationInfo) -> float:
        start = info.data.get("ramp_start", 0.0)
        if value < start:
            raise ValueError(f"the linear decay would end at {value:g}, before it starts at ramp_start ({start:g})")
        return value

    @field_validator("momentum_low")
    @classmethod
    def _has_a_cycle(cls, value: float | None, info: ValidationInfo) -> float | None:
        name = info.data.get("name")
        if value is not None and name not in (None, "one_cycle"):
            raise ValueError(f"the momentum is cycled only by one_cycle, not by {name}; leave it out")
        return value


def rate_factor(config: ScheduleConfig, step: int, total_steps: int) -> float:
    """Factor on `lr` at optimizer step `step` (from 0) of `total_steps`."""
    if config.name in ("constant", "auto") or total_steps <= 0:
        return 1.0
    shape = {"cosine": _cosine, "one_cycle": _one_cycle, "ramp": _ramp}[config.name]
    return shape(config, step, total_steps)


def cycled_momentum(config: ScheduleConfig, high: float, step: int, total_steps: int) -> float | None:
    """The momentum at optimizer step `step`, between `high` and the minimum; None if it is constant."""
    if config.momentum_low is None or total_steps <= 0:
        return None
    return _cycle(config, step, total_steps, begin=high, peak=config.momentum_low, end=high)


def _cosine(config: ScheduleConfig, step: int, total_steps: int) -> float:
    # The first step is above zero, and the last one reaches `final` exactly.
    warm = round(config.warmup * total_steps)
    if step < warm:
        return (step + 1) / warm
    progress = min(1.0, (step - warm) / max(1, total_steps - 1 - warm))
    return _half_cosine(1.0, config.final, progress)


def _one_cycle(config: ScheduleConfig, step: int, total_steps: int) -> float:
    return _cycle(config, step, total_steps, begin=config.start, peak=1.0, end=config.final)


def _cycle(config: ScheduleConfig, step: int, total_steps: int, *, begin: float, peak: float, end: float) -> float:
    # The peak is at step warmup * total - 1, as in torch's OneCycleLR.
    turn = config.warmup * total_steps - 1
    if step <= turn:
        return _half_cosine(begin, peak, step / turn if turn > 0 else 1.0)
    return _half_cosine(peak, end, min(1.0, (step - turn) / max(1e-9, total_steps - 1 - turn)))


def _ramp(config: ScheduleConfig, step: int, total_steps: int) -> float:
    # The warm-up is exp(-5 (1 - x)^2) in its progress x, which is at least 1/20: half of EfficientAT's first epoch of
    # ten.
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
