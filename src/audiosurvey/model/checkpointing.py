"""Activation checkpointing: activations are recomputed in the backward pass instead of stored.

Loss and gradients are unchanged: dropout is replayed from the saved generator state, and running statistics of
batch-norm are updated in the first pass only.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.utils.checkpoint import checkpoint

from audiosurvey.model.blocks.inputs import Entry, Join


def checkpointed(blocks: Sequence[nn.Module], x: torch.Tensor) -> torch.Tensor:
    """Applies `blocks` to `x` with non-reentrant checkpointing; of all activations, only `x` is stored."""

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), statistics_kept(blocks)

    return checkpoint(_through, blocks, x, use_reentrant=False, context_fn=contexts)


def segments(blocks: Iterable[nn.Module]) -> list[list[nn.Module]]:
    """Splits blocks into segments that are recomputed together: a block with weights and the ones without after it.
    `Entry` and `Join` are segments of their own."""
    parts: list[list[nn.Module]] = []
    for block in blocks:
        alone = isinstance(block, (Entry, Join)) or (parts and isinstance(parts[-1][0], (Entry, Join)))
        if not parts or alone or any(True for _ in block.parameters()):
            parts.append([])
        parts[-1].append(block)
    return parts


def pieces(segment: Iterable[nn.Module]) -> list[list[nn.Module]]:
    """Splits a segment before each convolution or linear layer inside its `nn.Sequential`s.

    Peak memory is lower when one convolution is recomputed at a time: the first block, whose maps are the largest in
    most networks, would otherwise determine the peak.
    """
    parts: list[list[nn.Module]] = []
    for layer in _layers(segment):
        if not parts or any(parameter.ndim > 1 for parameter in layer.parameters()):
            parts.append([])
        parts[-1].append(layer)
    return parts


def _layers(modules: Iterable[nn.Module]) -> Iterator[nn.Module]:
    for module in modules:
        if type(module) is nn.Sequential:
            yield from _layers(module)
        else:
            yield module


@contextmanager
def statistics_kept(blocks: Sequence[nn.Module]) -> Iterator[None]:
    """Batch-norms inside `blocks` update temporary copies of their running statistics.

    Disabling the statistics instead would change the number of tensors saved by autograd, which checkpointing compares
    between the two passes.
    """
    kept = [
        (norm, name, buffer)
        for block in blocks
        for norm in block.modules()
        if isinstance(norm, _NormBase)
        for name, buffer in norm.named_buffers(recurse=False)
    ]
    for norm, name, buffer in kept:
        setattr(norm, name, buffer.clone())
    try:
        yield
    finally:
        for norm, name, buffer in kept:
            setattr(norm, name, buffer)


def _through(blocks: Sequence[nn.Module], x: torch.Tensor) -> torch.Tensor:
    for block in blocks:
        x = block(x)
    return x
