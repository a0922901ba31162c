"""The description of a family of networks that is needed to load its authors' checkpoints: names, front end, files."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import Tensor

from audiosurvey.features.agreement import FrontEnd
from audiosurvey.model.network import Network
from audiosurvey.model.weights.published import PUBLISHED, Published


@dataclass
class Placed:
    """The tensors of a checkpoint under the names of our network; every tensor is accounted for."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    """By our names, in our layout."""
    source: dict[str, str] = field(default_factory=dict)
    """Our name: the checkpoint's."""
    dropped: dict[str, str] = field(default_factory=dict)
    """The checkpoint's name: why it is not used."""
    begun: set[str] = field(default_factory=set)
    """Our names of what no checkpoint holds, such as the mixture of an encoder's layers: it stays as it is."""

    def put(self, theirs: str, ours: str, tensor: Tensor) -> None:
        self.tensors[ours], self.source[ours] = tensor, theirs


@dataclass(frozen=True)
class Family:
    """How the checkpoints of one family are recognised and read."""

    name: str
    recognises: Callable[[Mapping[str, Tensor]], bool]
    """Whether a checkpoint's tensors are those of this family."""
    place: Callable[[Mapping[str, Tensor], Network], Placed]
    """The map of names; raises UserError (`model.init: ...`) where the network is none of the family."""
    front_end: Callable[[Mapping[str, Tensor]], FrontEnd | None]
    """What these weights were trained with, as far as they tell."""
    preset: Callable[[Mapping[str, Tensor]], str | None] = lambda tensors: None
    """The shipped preset that they are the weights of."""
    hints: bool = True
    """Whether faults say that the weights are from another network."""


@dataclass(frozen=True, kw_only=True)
class Released(Published):
    """A checkpoint that its authors published."""

    front_end: FrontEnd


def released_as(name: str, front_end: FrontEnd) -> Released:
    """What is published under this name, for a network that hears by this front end."""
    return Released(**vars(PUBLISHED[name]), front_end=front_end)
