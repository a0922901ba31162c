"""Output shapes and multiply-accumulates (MACs) of layers, from a forward pass on the meta device.

Convolutions and matrix products are counted, as is usual; norms, activations and biases are not.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn
from torch.func import functional_call

from audiosurvey.model.meta_device import without_compiler
from audiosurvey.model.shapes import InputShape, each_input


@dataclass(frozen=True, slots=True)
class Cost:
    """Output shape and MACs of one layer for one clip."""

    output_shape: tuple[int, ...]
    macs: int


def trainable(module: nn.Module) -> int:
    """Number of trainable parameters, without buffers."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


def module_macs(module: nn.Module, output: Tensor) -> int:
    """MACs of one module, without its children, that returned `output`.

    Modules that multiply matrices in their own `forward` have a method `own_macs(output) -> int`.
    """
    if isinstance(module, (nn.Conv1d, nn.Conv2d)):
        # Each output value sums over the input channels of its group and the kernel.
        return output.numel() * (module.in_channels // module.groups) * prod(module.kernel_size)
    if isinstance(module, nn.Linear):
        return output.numel() * module.in_features
    own = getattr(module, "own_macs", None)
    return own(output) if own else 0


def trace(network: nn.Module, input_shape: InputShape, layers: Sequence[nn.Module]) -> list[Cost]:
    """The cost of each of `layers` (non-overlapping parts of `network`) for one clip.

    All tensors are on the meta device: nothing is computed, and the network is not changed.
    """
    shapes: dict[nn.Module, tuple[int, ...]] = {}
    macs: dict[nn.Module, int] = defaultdict(int)
    handles = []
    for layer in layers:
        handles.append(layer.register_forward_hook(_noting_shape(layer, shapes)))
        handles += [part.register_forward_hook(_adding_macs(layer, macs)) for part in layer.modules()]
    state = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    was_training = network.training
    try:
        network.eval()
        with torch.no_grad(), without_compiler():
            shadows = {name: torch.empty_like(value, device="meta") for name, value in state.items()}
            functional_call(network, shadows, (_without_values(input_shape),))
    finally:
        network.train(was_training)
        for handle in handles:
            handle.remove()
    return [Cost(shapes[layer], macs[layer]) for layer in layers]


def _without_values(shape: InputShape) -> Tensor | tuple[Tensor, ...]:
    """One clip of this shape, or pair of shapes, on the meta device."""
    clips = tuple(torch.empty(1, *each, device="meta") for each in each_input(shape))
    return clips[0] if len(clips) == 1 else clips


def _noting_shape(layer: nn.Module, shapes: dict[nn.Module, tuple[int, ...]]):
    def hook(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        shapes[layer] = tuple(output.shape[1:])

    return hook


def _adding_macs(layer: nn.Module, macs: dict[nn.Module, int]):
    def hook(module: nn.Module, _inputs: object, output: Tensor) -> None:
        macs[layer] += module_macs(module, output)

    return hook
