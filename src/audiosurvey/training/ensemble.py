"""Gradients of an ensemble (`model.members`): each member is trained as if alone.

The loss is the sum of the members' losses. The shared parameters, those of the input standardisation and the
classifier's bias, get the mean of the members' gradients.
"""

import torch

from audiosurvey.model.network import Network
from audiosurvey.training.adams import Belonging


def belonging(network: Network) -> Belonging:
    """The parameters that belong to single members, and those divided among them."""
    if network.members == 1:
        return Belonging()
    whole: dict[torch.Tensor, int] = {
        parameter: member
        for member, blocks in enumerate(network.blocks_by_member())
        for block in blocks
        for parameter in block.parameters()
    }
    return Belonging(network.members, whole, frozenset([network.classifier.weight]))


def average_shared(network: Network) -> None:
    """Divides the gradients of shared parameters by the number of members."""
    for gradient in _shared(network):
        gradient.div_(network.members)


def clip_members(network: Network, bound: float) -> None:
    """Clips the gradient norm of each member. Shared gradients count in the norm of every member, and are scaled by the
    mean of their factors."""
    shared, factors = _shared(network), []
    for own in _by_member(network):
        norm = torch.nn.utils.get_total_norm([*own, *shared])
        factor = (bound / (norm + 1e-6)).clamp(max=1)  # as torch's clip_grad_norm_
        factors.append(factor)
        for gradient in own:
            gradient.mul_(factor)
    for gradient in shared:
        gradient.mul_(torch.stack(factors).mean())


def _shared(network: Network) -> list[torch.Tensor]:
    parameters = [*network.standardize.parameters(), network.classifier.bias]
    return [parameter.grad for parameter in parameters if parameter.grad is not None]


def _by_member(network: Network) -> list[list[torch.Tensor]]:
    """Gradients of each member's blocks and part of the classifier's weights."""
    gradients = [
        [parameter.grad for block in blocks for parameter in block.parameters() if parameter.grad is not None]
        for blocks in network.blocks_by_member()
    ]
    if network.classifier.weight.grad is not None:
        parts_KMN = network.classifier.weight.grad.unflatten(1, (network.members, -1))
        for own, part_KN in zip(gradients, parts_KMN.unbind(1), strict=True):
            own.append(part_KN)
    return gradients
