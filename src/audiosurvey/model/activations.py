"""Activation functions by name, and SwiGLU, for maps (B, C, T, F) and features (B, N)."""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Literal, get_args

import torch
import torch.nn.functional as F
from pydantic import ValidatorFunctionWrapHandler, WrapValidator
from torch import nn

from audiosurvey.section import Section

PlainActivation = Literal[
    "relu", "lrelu", "relu6", "gelu", "silu", "swish", "elu", "selu", "tanh", "sigmoid", "hardswish", "mish"
]
ActivationName = Literal[PlainActivation, "swiglu"]

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "lrelu": lambda: nn.LeakyReLU(0.01),
    "relu6": nn.ReLU6,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "swish": nn.SiLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "hardswish": nn.Hardswish,
    "mish": nn.Mish,
}


class SwigluConfig(Section):
    """Options of SwiGLU."""

    axis: Literal["last", "channel"] = "last"
    """The axis that is halved. `last`: the bands of a map, or the features after `pooling` and `fc`; `channel`: the
    channels of a map."""


class SwigluChoice(Section):
    """`{swiglu: {axis: channel}}`: SwiGLU with its options."""

    swiglu: SwigluConfig


def _name_or_gate(value: Any, _: ValidatorFunctionWrapHandler) -> Any:
    """Validates a value as a name or as a mapping, not as both, so that a mistake gives one error."""
    if isinstance(value, SwigluChoice):
        return value
    if isinstance(value, Mapping):
        if list(value) != ["swiglu"]:
            raise ValueError("takes a name or `{swiglu: {axis: channel}}`; no other activation has options")
        return SwigluChoice.model_validate(value)
    names = get_args(ActivationName)
    if value not in names:
        close = get_close_matches(str(value).lower(), names, n=1)
        mend = f"did you mean {close[0]}?" if close else f"known activations: {', '.join(names)}"
        raise ValueError(f"unknown activation {value}; {mend}")
    return value


ActivationChoice = Annotated[ActivationName | SwigluChoice, WrapValidator(_name_or_gate)]
"""An activation by name; `swiglu` also with its options."""


class SwiGLU(nn.Module):
    """value * SiLU(gate): the first half of an axis is the value, the second half the gate.

    The last axis is padded with a zero if its length is odd. Source: Shazeer 2020, "GLU variants improve transformer",
    with beta 1 and without the linear maps, which belong to the layer before.
    """

    def __init__(self, axis: int = -1) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[self.axis] % 2:
            if self.axis != -1:
                raise ValueError(f"swiglu by channel needs an even number of channels, not {x.shape[self.axis]}")
            x = F.pad(x, (0, 1))
        value, gate = x.chunk(2, dim=self.axis)
        return value * F.silu(gate)


def is_gate(choice: ActivationChoice) -> bool:
    return isinstance(choice, SwigluChoice) or choice == "swiglu"


def gate_axis(choice: ActivationChoice) -> Literal["last", "channel"]:
    return choice.swiglu.axis if isinstance(choice, SwigluChoice) else "last"


def make_activation(name: str) -> nn.Module:
    """The module of an element-wise activation (SwiGLU changes shapes and is built by its block)."""
    return ACTIVATIONS[name]()
