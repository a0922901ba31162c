"""Activation checkpointing of a few blocks in a row: their inner values are computed again in the backward
pass instead of kept.

Less peak memory, the same loss and gradients: dropout is replayed from the saved state of the generators, and
batch-norm's running statistics are updated by the first pass alone.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.utils.checkpoint import checkpoint

from audiosurvey.model.blocks.inputs import Entry, Join


def checkpointed(blocks: Sequence[nn.Module], x: torch.Tensor) -> torch.Tensor:
    """Sends `x` through `blocks` with checkpointing, non-reentrant; of all values between, only `x` is
    kept."""

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), statistics_kept(blocks)

    return checkpoint(_through, blocks, x, use_reentrant=False, context_fn=contexts)


def segments(blocks: Iterable[nn.Module]) -> list[list[nn.Module]]:
    """Splits a row of blocks into what is recomputed together: each block with weights, and the cheap ones
    after it. What begins and joins branches stands alone."""
    parts: list[list[nn.Module]] = []
    for block in blocks:
        alone = isinstance(block, (Entry, Join)) or (parts and isinstance(parts[-1][0], (Entry, Join)))
        if not parts or alone or any(True for _ in block.parameters()):
            parts.append([])
        parts[-1].append(block)
    return parts


def pieces(segment: Iterable[nn.Module]) -> list[list[nn.Module]]:
    """Splits a segment once more: plain rows of layers inside it come apart before each convolution or matrix.

    What is recomputed at a time is then one convolution with its norm and activation. In a network whose first maps are
    the largest, as most are, the recomputation of the first block would otherwise be the peak.
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
    """Batch-norms inside `blocks` update throw-away copies of their running statistics.

    Switching the statistics off instead would change the number of tensors that autograd saves, which
    checkpointing compares between the two passes.
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
