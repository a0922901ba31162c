"""What all mixings have in common: a second training clip enters, and the label says how much there is of each.

`draw` says how a clip is mixed, as plain data; `mix` is pure and batched, and gives the mixtures with the weight that
the clip's own label keeps; its partner's has the rest. Who is mixed, in which way and with whom, stands in mixer.py.
"""

from abc import ABC, abstractmethod
from dataclasses import asdict
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from pydantic import Field
from torch import Tensor

from audiosurvey.augmentation.base import Probability
from audiosurvey.section import Section

Draw = TypeVar("Draw")
Pair = tuple[Tensor, Tensor]
"""Something of the clips, and the same of their partners."""


class MixingConfig(Section):
    """The keys of every mixing."""

    p: Probability = 0.0
    """Chance that a clip is mixed in this way. A clip is mixed in one way at most, so the chances of all mixings add up
    to 1 or less: four of 0.25 mix every clip, each time in one of four ways."""
    start_epoch: int = Field(default=0, ge=0)
    """The first epoch, counted from 1, in which clips are mixed in this way; before it, whom the choice falls on stays
    as it is."""


class _Mixing(ABC, Generic[Draw]):
    name: ClassVar[str]

    def __init__(self, config: MixingConfig) -> None:
        self.p = config.p
        self.start_epoch = config.start_epoch

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> Draw:
        """How one clip is mixed."""

    def describe(self, draw: Draw) -> dict[str, object]:
        """What was drawn, in words and numbers that JSON can hold, for a reader."""
        fields: Any = draw
        return dict(asdict(fields))


class WaveMixing(_Mixing[Draw]):
    """A mixing of waveforms, before all other augmentation, which then acts on the mixture."""

    @abstractmethod
    def mix(self, waves: Pair, valids: Pair, draws: list[Draw]) -> tuple[Tensor, Tensor, Tensor]:
        """Mixed waves (B, S), their samples before padding (B), and the weights of the clips' own labels (B).

        Enter waves (B, S) and their samples before padding (B), of the clips and of their partners."""


class MelMixing(_Mixing[Draw]):
    """A mixing of spectrograms, after all other augmentation of both."""

    @abstractmethod
    def mix(self, mels: Pair, draws: list[Draw]) -> tuple[Tensor, Tensor]:
        """Mixed spectrograms (B, C, T, F) and the weights of the clips' own labels (B)."""
