"""The order of the training clips of an epoch, and how often each occurs: a function of (seed, epoch) and the clips.

Enters: the clips of a fold's training side; leaves: as many clips, and a share of sounds of no class, in the order of
the epoch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from audiosurvey.data.table import Clip
from audiosurvey.randomness import stream

Sampling = Literal["shuffle", "balanced"]


@dataclass(frozen=True)
class OtherSounds:
    """Sounds of no class to draw from in every epoch."""

    recorded: tuple[Clip, ...] = ()
    made: tuple[Clip, ...] = ()
    share: float = 0.0
    """Of the epoch."""
    made_share: float = 0.0
    """Of these."""

    def counts(self, clips: int) -> tuple[int, int]:
        """How many recorded and made ones come in an epoch with so many clips of the classes."""
        wanted = clips * self.share / (1 - self.share)
        made_share = self.made_share if self.recorded else 1.0
        made = min(round(wanted * made_share), len(self.made))
        return min(round(wanted * (1 - made_share)), len(self.recorded)), made

    def draw(self, clips: int, seed: int, epoch: int) -> list[Clip]:
        """Those of an epoch, each once at most."""
        rng = stream(seed, epoch, "other sounds")
        pools = zip((self.recorded, self.made), self.counts(clips), strict=True)
        return [pool[row] for pool, count in pools for row in rng.permutation(len(pool))[:count].tolist()]


NO_OTHERS = OtherSounds()


def epoch_clips(
    clips: Sequence[Clip], seed: int, epoch: int, sampling: Sampling = "shuffle", others: OtherSounds = NO_OTHERS
) -> list[Clip]:
    """The clips of an epoch in their order, those of `others` among them.

    `shuffle`: each once. `balanced`: as many clips, every class of them equally often, to one clip, and clips without
    labels as often as those of a class; a clip that comes again is marked by `Clip.repeat`, so that augmentation draws
    anew for it.
    """
    rows = np.arange(len(clips)) if sampling == "shuffle" else _balanced(clips, stream(seed, epoch, "balance"))
    drawn = [*(clips[row] for row in rows.tolist()), *others.draw(len(clips), seed, epoch)]
    chosen = [drawn[place] for place in stream(seed, epoch, "order").permutation(len(drawn)).tolist()]
    if sampling == "shuffle":
        return chosen
    heard: dict[str, int] = {}
    for place, clip in enumerate(chosen):
        before = heard.get(clip.id, 0)
        heard[clip.id] = before + 1
        chosen[place] = replace(clip, repeat=before) if before else clip
    return chosen


def by_class(clips: Sequence[Clip]) -> list[list[int]]:
    """The rows of the clips of each class that has any, in the order of the classes.

    A clip of several labels stands in each of its classes. Clips without labels are the last, as a class of their own.
    """
    members: dict[int, list[int]] = {}
    unlabelled: list[int] = []
    for row, clip in enumerate(clips):
        for label in clip.labels:
            members.setdefault(label, []).append(row)
        if not clip.labels:
            unlabelled.append(row)
    return [members[label] for label in sorted(members)] + ([unlabelled] if unlabelled else [])


def _balanced(clips: Sequence[Clip], rng: np.random.Generator) -> np.ndarray:
    """Rows of the clips, class by class, as `by_class` has them.

    The classes share the epoch evenly, and what does not divide goes to classes drawn anew each epoch. A class with
    more clips than its share gives a fresh choice of them; one with fewer gives all of them again and again.
    """
    classes = by_class(clips)
    shares = np.full(len(classes), len(clips) // len(classes))
    shares[rng.permutation(len(classes))[: len(clips) % len(classes)]] += 1
    rows: list[np.ndarray] = []
    for members, share in zip(classes, shares, strict=True):
        own = np.asarray(members)
        rounds = -(-int(share) // len(own))
        rows.append(np.concatenate([rng.permutation(own) for _ in range(max(rounds, 1))])[:share])
    return np.concatenate(rows)
