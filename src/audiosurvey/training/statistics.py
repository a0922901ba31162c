"""Running statistics of batch norms: their initial values, and their recomputation for averaged weights."""

from collections.abc import Iterable

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from audiosurvey.features.front_end import NetworkInput
from audiosurvey.model.network import Network


class FirstBatches:
    """Lets the statistics of fresh norms begin with the first batches and nothing else.

    A norm of momentum m forgets its beginning, mean 0 and variance 1, as (1 - m)^n over n batches. With m 0.01, as in
    MobileNetV3, a sixtieth of that variance is left after 400 batches: more than the true one of a depthwise layer, and
    a network that fits its training clips scores by chance. So the share of the n-th batch is m / (1 - (1 - m)^n), 1 at
    first and m in the end: the same average over the batches alone, corrected as the moments of Adam (arXiv 1412.6980,
    section 3). Norms that already have statistics continue from these.

    Args:
        network: the network to train, in training mode.
    """

    def __init__(self, network: nn.Module) -> None:
        norms = [part for part in network.modules() if isinstance(part, _BatchNorm) and part.track_running_stats]
        self.seen = {norm: _batches(norm) for norm in norms if norm.momentum is not None and not _was_given(norm)}
        self.momenta = {norm: norm.momentum or 0.0 for norm in self.seen}

    def next_batch(self) -> None:
        """Sets the momentum of each norm. Call it before each batch that the network is trained on."""
        for norm in list(self.seen):
            if norm.training:
                self.seen[norm] += 1
                momentum = self.momenta[norm]
                norm.momentum = min(1.0, momentum / (1 - (1 - momentum) ** self.seen[norm]))
                if norm.momentum == momentum:  # to the last bit: what is left of the beginning is less
                    del self.seen[norm]


def _batches(norm: _BatchNorm) -> int:
    return 0 if norm.num_batches_tracked is None else int(norm.num_batches_tracked)


def _was_given(norm: _BatchNorm) -> bool:
    """Whether there are statistics from a file that does not say over how many batches."""
    mean_C, variance_C = norm.running_mean, norm.running_var
    return _batches(norm) == 0 and bool((mean_C != 0).any() or (variance_C != 1).any())


@torch.no_grad()
def count_statistics(network: nn.Module, shown: Iterable[NetworkInput], like: nn.Module) -> None:
    """Running means and variances of `network` become those of the batches, each weighed by its clips.

    `shown`: the training clips as they enter the network. Everything else is as in evaluation, dropout too, but that a
    clip is seen once, as in training, not in several views. `like`, the network that is trained, says which norms take
    part: those that are in training mode there, as frozen ones are not.
    """
    norms = [
        norm
        for norm, trained in zip(network.modules(), like.modules(), strict=True)
        if isinstance(norm, _BatchNorm) and norm.track_running_stats and trained.training
    ]
    if not norms:
        return
    network.eval()
    views = network.views if isinstance(network, Network) else 1
    if isinstance(network, Network):
        network.views = 1
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.train()
    clips = 0
    for inputs in shown:
        batch = len(inputs[0] if isinstance(inputs, tuple) else inputs)
        clips += batch
        for norm in norms:
            # The first batch replaces what was there; each later one has its clips' share of all so far.
            norm.momentum = batch / clips
        network(inputs)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    if isinstance(network, Network):
        network.views = views
    network.eval()
