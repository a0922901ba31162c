"""Test-time augmentation: circular shifts of a clip, whose features are averaged."""

import torch

from audiosurvey.features.front_end import NetworkInput


def shifted_views(heard: NetworkInput, views: int) -> NetworkInput:
    """Inputs of B clips to those of (V * B) views, all of view 0 first. View v of a clip of L samples or frames is
    shifted left by v * L // views."""
    if isinstance(heard, tuple):
        return _shifted(heard[0], views), _shifted(heard[1], views)
    return _shifted(heard, views)


def mean_view(features_VBN: torch.Tensor, views: int) -> torch.Tensor:
    """(V * B, N) in the order of `shifted_views` to the mean over the views (B, N)."""
    return features_VBN.reshape(views, -1, features_VBN.shape[1]).mean(dim=0)


def _shifted(each: torch.Tensor, views: int) -> torch.Tensor:
    """Time is the third dimension of waves (B, 1, S) and spectrograms (B, C, T, F)."""
    length = each.shape[2]
    starts = [view * length // views for view in range(views)]
    # Slices instead of torch.roll, so that exported graphs can have a dynamic length.
    return torch.cat([torch.cat([each[:, :, start:], each[:, :, :start]], dim=2) for start in starts])
