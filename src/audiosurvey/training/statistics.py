"""Batch-norm statistics counted anew: for weights that no step of training has run through.

Enters: a network and its training clips as it hears them; leaves: the network with other running statistics.
"""

from collections.abc import Iterable

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from audiosurvey.features.front_end import Heard


@torch.no_grad()
def count_statistics(network: nn.Module, shown: Iterable[Heard], like: nn.Module) -> None:
    """Running means and variances become those of the batches, each weighed by its clips.

    Everything else is as in evaluation, dropout too. `like`, the network that is trained, says which norms take part:
    those that are in training mode there, as frozen ones are not.
    """
    norms = [
        norm
        for norm, trained in zip(network.modules(), like.modules(), strict=True)
        if isinstance(norm, _BatchNorm) and norm.track_running_stats and trained.training
    ]
    if not norms:
        return
    network.eval()
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.train()
    clips = 0
    for heard in shown:
        batch = len(heard[0] if isinstance(heard, tuple) else heard)
        clips += batch
        for norm in norms:
            # The first batch replaces what was there; each later one has its clips' share of all so far.
            norm.momentum = batch / clips
        network(heard)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    network.eval()
