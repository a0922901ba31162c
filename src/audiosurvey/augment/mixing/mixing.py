"""What all mixings have in common: a second training clip is mixed in, with its share of the label.

`draw` says how a clip is mixed, as plain data; `mix` is pure and batched, and gives the mixtures with the weight that
the clip's own label keeps; its partner's has the rest. Both labels and the weight are kept as `Targets`, from which
the loss makes what it compares with. Who is mixed, in which way and with whom, stands in mixer.py.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from audiosurvey.augment.base import Draw, Operation, OperationConfig, Probability
from audiosurvey.augment.extent import Extent

Pair = tuple[Tensor, Tensor]
"""Something of the clips, and the same of their partners."""
Extents = tuple[list[Extent], list[Extent]]
"""Where the clips sound, and where their partners do."""


@dataclass(frozen=True, slots=True)
class Targets:
    """What is true of each clip of a batch, and of what was mixed into it."""

    own_BK: Tensor
    """1 for each label of the clip, 0 elsewhere."""
    partner_BK: Tensor
    """The same of its partner; of the clip itself where it is not mixed."""
    weight_B: Tensor
    """Weight of the clip's own label; 1 where it is not mixed."""
    mixed_B: Tensor
    """Whether the clip is mixed, with whatever weight and with a clip of whatever class."""

    @classmethod
    def unmixed(cls, own_BK: Tensor) -> "Targets":
        weight_B = torch.ones(len(own_BK), dtype=own_BK.dtype, device=own_BK.device)
        return cls(own_BK, own_BK, weight_B, torch.zeros_like(weight_B, dtype=torch.bool))

    @property
    def weighted_BK(self) -> Tensor:
        """Both labels, each by its weight."""
        weight_B1 = self.weight_B[:, None]
        return weight_B1 * self.own_BK + (1 - weight_B1) * self.partner_BK

    def union_BK(self, below: float) -> Tensor:
        """1 for each label of the clip, and for its partner's where the clip's own weighs less than `below`."""
        heard_B1 = (self.weight_B < below)[:, None]
        return torch.maximum(self.own_BK, self.partner_BK * heard_B1)

    def mixed(self, at: Tensor, partner_BK: Tensor, weight_B: Tensor) -> "Targets":
        """The same, with the rows of this index mixed."""
        return Targets(
            self.own_BK,
            self.partner_BK.index_copy(0, at, partner_BK),
            self.weight_B.index_copy(0, at, weight_B.to(self.weight_B, non_blocking=True)),
            self.mixed_B.index_fill(0, at, True),
        )


class MixingConfig(OperationConfig):
    """Options of all mixings."""

    p: Probability = 0.0
    """Probability that a clip is mixed this way. Each clip is mixed in at most one way, so the probabilities of all
    mixings must add up to at most 1."""
    start_epoch: int = Field(default=0, ge=0)
    """First epoch of this mixing, counted from 1; in earlier epochs, the clips selected for it are not mixed."""


Config = TypeVar("Config", bound=MixingConfig)


class _Mixing(Operation[Config, Draw]):
    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.start_epoch = config.start_epoch

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> Draw:
        """How one clip is mixed."""


class WaveMixing(_Mixing[Config, Draw]):
    """A mixing of waveforms, before all other augmentation of them or after it."""

    @abstractmethod
    def mix(self, waves: Pair, valids: Pair, draws: list[Draw]) -> tuple[Tensor, Tensor]:
        """Mixed waves (B, S) and the weights of the clips' own labels (B), from the waves (B, S) of the clips and their
        partners and the samples of each before padding (B)."""

    def valid_after(self, draw: Draw, valid: int, partner_valid: int, samples: int) -> int:
        """Samples before padding of a mixture, in windows of `samples`: the longer of both, unless overridden."""
        return max(valid, partner_valid)


class MelMixing(_Mixing[Config, Draw]):
    """A mixing of spectrograms, after all other augmentation of both."""

    @abstractmethod
    def mix(self, mels: Pair, draws: list[Draw], extents: Extents | None = None) -> tuple[Tensor, Tensor]:
        """Mixed spectrograms (B, C, T, F) and the weights of the clips' own labels (B).

        `extents`: the frames in which the clips sound, and those of their partners; all where they are not given."""
