"""Test-time augmentation: a clip seen several times, turned in time, for features that do not hang on where it begins.

Enters: what a network hears of B clips; leaves: the same of their views, (V * B) clips, all of view 0 first.
"""

import torch

from audiosurvey.features.front_end import NetworkInput


def turned(heard: NetworkInput, views: int) -> NetworkInput:
    """View v of a clip of L samples or frames begins at v * L // views; what stands before goes to the end."""
    if isinstance(heard, tuple):
        return _turned(heard[0], views), _turned(heard[1], views)
    return _turned(heard, views)


def mean_view(features_VBN: torch.Tensor, views: int) -> torch.Tensor:
    """(V * B, N) in the order of `turned` to the mean of each clip's views (B, N)."""
    return features_VBN.reshape(views, -1, features_VBN.shape[1]).mean(dim=0)


def _turned(each: torch.Tensor, views: int) -> torch.Tensor:
    """Waves are (B, 1, S), spectrograms (B, C, T, F): time is the third dimension of both."""
    length = each.shape[2]
    starts = [view * length // views for view in range(views)]
    # Slices, not torch.roll: their length may be unknown when a graph is exported.
    return torch.cat([torch.cat([each[:, :, start:], each[:, :, :start]], dim=2) for start in starts])
