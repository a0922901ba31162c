"""Subsets of training clips: stratified by class, and nested, for learning curves over the amount of data."""

import math
from collections import defaultdict
from collections.abc import Sequence

from audiosurvey.data.table import Clip
from audiosurvey.randomness import stream


def training_subset(clips: Sequence[Clip], share: float, seed: int) -> tuple[Clip, ...]:
    """A share of the clips, in their order; at least one clip of each label combination.

    Each label combination keeps its share, rounded up. The clips are ranked by random numbers that depend only on seed
    and clip id, so that a smaller share is a subset of a larger one, and each fold of the same seed prefers the same
    clips.
    """
    if share == 1:
        return tuple(clips)
    groups: dict[tuple[int, ...], list[Clip]] = defaultdict(list)
    for clip in clips:
        groups[tuple(sorted(clip.labels))].append(clip)
    kept: set[str] = set()
    for members in groups.values():
        ranked = sorted(members, key=lambda clip: (stream(seed, "train_share", clip.id).random(), clip.id))
        # Ten percent of thirty is three, whatever binary fractions make of it.
        kept |= {clip.id for clip in ranked[: math.ceil(round(share * len(members), 9))]}
    return tuple(clip for clip in clips if clip.id in kept)
