"""Which training clip is mixed, in which way, and with whom.

Enters: batches with their partners; leaves: mixed waves, or mixed spectrograms, and targets. A clip is mixed in one
way at most. The way and the partner are a function of (seed, epoch, clip id), of the set of training clips, and of how
an epoch samples them: with balanced classes partners are balanced too.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from audiosurvey.augmentation.mixing.mixing import Extents, MelMixing, Pair, Targets, WaveMixing
from audiosurvey.data.batches.sampling import Sampling, by_class
from audiosurvey.data.table import Clip
from audiosurvey.randomness import stream

if TYPE_CHECKING:
    from audiosurvey.data.batches.batches import Batch

STREAM = "mixup"
"""Of all mixings, and named after the first that there was, so that mixtures of old can be rendered again."""
Kind = TypeVar("Kind", WaveMixing, MelMixing)


@dataclass(frozen=True, slots=True)
class Mixed:
    """How one clip is mixed in one epoch."""

    mixing: WaveMixing[Any] | MelMixing[Any]
    partner: Clip
    draw: Any

    def describe(self) -> dict[str, object]:
        """For a reader."""
        return {"operation": self.mixing.name, "partner": self.partner.id, **self.mixing.describe(self.draw)}


class Mixer:
    """Chooses among mixings whose chances add up to 1 at most, and applies them."""

    def __init__(
        self,
        mixings: Sequence[WaveMixing[Any] | MelMixing[Any]],
        *,
        seed: int,
        train_clips: Sequence[Clip],
        sampling: Sampling = "shuffle",
    ) -> None:
        """`sampling`: how an epoch draws its clips; partners are drawn likewise."""
        self.mixings = [mixing for mixing in mixings if mixing.p > 0]
        self.seed = seed
        self._clips = sorted(train_clips, key=lambda clip: clip.id)
        self._rows = {clip.id: row for row, clip in enumerate(self._clips)}
        everyone = [list(range(len(self._clips)))]
        self._groups = by_class(self._clips) if sampling == "balanced" else everyone
        """Rows of the clips; a partner's group is drawn first, all alike, then the partner in it."""
        self._lonely = {group[0] for group in self._groups if len(group) == 1}
        """Clips that are a whole group, from which they cannot have a partner."""

    def draw(self, clip: Clip, epoch: int) -> Mixed | None:
        """How this clip is mixed in this epoch, or None. It is never its own partner."""
        if not self.mixings:
            return None
        rng = stream(self.seed, epoch, *clip.drawn_by, STREAM)
        mixing = self._chosen(rng.random())
        own = self._rows.get(clip.id)
        if mixing is None or epoch < mixing.start_epoch or len(self._clips) <= (own is not None):
            return None
        return Mixed(mixing, self._clips[self._partner(rng, own)], mixing.draw(rng))

    def _partner(self, rng: np.random.Generator, own: int | None) -> int:
        """The row of a partner for the clip in row `own` (None: a clip from outside)."""
        groups = self._groups
        if own in self._lonely:
            groups = [group for group in groups if group != [own]]
        group = groups[int(rng.integers(len(groups)))] if len(groups) > 1 else groups[0]
        place = bisect_left(group, own) if own is not None else len(group)
        belongs = place < len(group) and group[place] == own
        drawn = int(rng.integers(len(group) - belongs))
        return group[drawn + (belongs and drawn >= place)]

    def mix_waves(self, batch: Batch, epoch: int) -> tuple[Tensor, Tensor, Targets]:
        """Waves (B, S), samples before padding (B) and targets, mixed where waves are to be."""
        wave_BS, valid_B, targets = batch.wave_BS, batch.valid_B, Targets.unmixed(batch.target_BK)
        drawn = self._drawn(batch, epoch)
        for mixing in self.mixings:
            if isinstance(mixing, WaveMixing) and (rows := _of(mixing, drawn)):
                waves = _pair(batch.wave_BS, batch.partner_BS, rows)
                valids = _pair(batch.valid_B, batch.partner_valid_B, rows)
                mixed_BS, mixed_valid_B, weight_B = mixing.mix(waves, valids, _draws(drawn, rows))
                wave_BS = _put(wave_BS, rows, mixed_BS)
                valid_B = _put(valid_B, rows, mixed_valid_B)
                targets = targets.mixed(rows, _pair(batch.target_BK, batch.partner_target_BK, rows)[1], weight_B)
        return wave_BS, valid_B, targets

    def rows(self, kind: type[WaveMixing[Any]] | type[MelMixing[Any]], batch: Batch, epoch: int) -> list[int]:
        """The rows of a batch whose waves, or spectrograms, are mixed with those of their partners."""
        drawn = self._drawn(batch, epoch)
        return [row for row, mixed in enumerate(drawn) if mixed and isinstance(mixed.mixing, kind)]

    def mix_mels(
        self,
        mel_BCTF: Tensor,
        targets: Targets,
        partner_BCTF: Tensor,
        rows: list[int],
        batch: Batch,
        epoch: int,
        extents: Extents,
    ) -> tuple[Tensor, Targets]:
        """Spectrograms and targets, mixed where spectrograms are to be.

        `rows` are those of `MelMixing`; `partner_BCTF` holds their partners' spectrograms, in this order, and `extents`
        the frames in which the clips of the batch sound, and these partners.
        """
        drawn = self._drawn(batch, epoch)
        unmixed_BCTF = mel_BCTF
        for mixing in self.mixings:
            if isinstance(mixing, MelMixing) and (chosen := _of(mixing, drawn)):
                at = [rows.index(row) for row in chosen]
                heard = [extents[0][row] for row in chosen], [extents[1][place] for place in at]
                mels = unmixed_BCTF[chosen], partner_BCTF[at]
                mixed_BCTF, weight_B = mixing.mix(mels, _draws(drawn, chosen), heard)
                mel_BCTF = _put(mel_BCTF, chosen, mixed_BCTF)
                targets = targets.mixed(chosen, _pair(batch.target_BK, batch.partner_target_BK, chosen)[1], weight_B)
        return mel_BCTF, targets

    def _chosen(self, coin: float) -> WaveMixing[Any] | MelMixing[Any] | None:
        """Each mixing has a stretch of [0, 1) as long as its chance."""
        end = 0.0
        for mixing in self.mixings:
            end += mixing.p
            if coin < end:
                return mixing
        return None

    def _drawn(self, batch: Batch, epoch: int) -> list[Mixed | None]:
        """How the clips of a batch are mixed. One for which the batch holds no partner stays as it is."""
        drawn: list[Mixed | None] = []
        for clip, other in zip(batch.clips, batch.partners, strict=True):
            mixed = None if other is None else self.draw(clip, epoch)
            if other is not None and (mixed is None or mixed.partner.id != other.id):
                raise RuntimeError(f"{clip.id} came with {other.id}, which is not its partner in epoch {epoch}")
            drawn.append(mixed)
        return drawn


def _of(mixing: object, drawn: Sequence[Mixed | None]) -> list[int]:
    return [row for row, mixed in enumerate(drawn) if mixed is not None and mixed.mixing is mixing]


def _draws(drawn: Sequence[Mixed | None], rows: list[int]) -> list[Any]:
    return [mixed.draw for row in rows if (mixed := drawn[row]) is not None]


def _pair(own: Tensor, other: Tensor | None, rows: list[int]) -> Pair:
    if other is None:
        raise RuntimeError("a batch that names partners holds no waves of theirs")
    index = torch.tensor(rows, device=own.device)
    return own.index_select(0, index), other.index_select(0, index)


def _put(whole: Tensor, rows: list[int], new: Tensor) -> Tensor:
    return whole.index_copy(0, torch.tensor(rows, device=whole.device), new.to(whole))
