"""Which training clips are mixed, how, and with which partner.

Enters: clips, then waves or spectrograms of a batch and of its partners; leaves: draws, then mixtures and targets. A
clip is mixed in one way at most. The way and the partner are a function of (seed, epoch, clip id), of the set of
training clips, and of how an epoch samples them: with balanced classes partners are balanced too.
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from audiosurvey.augment.draws import BatchDraws, MixDraw
from audiosurvey.augment.mixing.mixing import MelMixing, Pair, Targets, WaveMixing
from audiosurvey.augment.tensors import on_device
from audiosurvey.data.batches.sampling import Sampling, by_class
from audiosurvey.data.table import Clip
from audiosurvey.randomness import stream

STREAM = "mixup"
"""Of all mixings; the name of the first one, so that runs of earlier versions are reproduced."""
Mixing = WaveMixing[Any, Any] | MelMixing[Any, Any]


class Mixer:
    """Chooses among mixings whose chances add up to 1 at most, and applies them."""

    def __init__(
        self,
        mixings: Sequence[Mixing],
        *,
        seed: int,
        train_clips: Sequence[Clip],
        sampling: Sampling = "shuffle",
    ) -> None:
        """`sampling`: how an epoch draws its clips; partners are drawn in the same way."""
        self.mixings = {mixing.name: mixing for mixing in mixings if mixing.p > 0}
        self.seed = seed
        self._clips = sorted(train_clips, key=lambda clip: clip.id)
        self._rows = {clip.id: row for row, clip in enumerate(self._clips)}
        everyone = [list(range(len(self._clips)))]
        self._groups = by_class(self._clips) if sampling == "balanced" else everyone
        """Rows of the clips: a partner's group is drawn first, then the partner in it, both uniformly."""
        self._lonely = {group[0] for group in self._groups if len(group) == 1}
        """Clips that are alone in their group, which then has no partner for them."""

    def draw(self, clip: Clip, epoch: int) -> MixDraw | None:
        """How this clip is mixed in this epoch, or None. A clip is never its own partner; sounds of no class are
        neither mixed nor partners."""
        if not self.mixings or clip.other:
            return None
        rng = stream(self.seed, epoch, *clip.drawn_by, STREAM)
        mixing = self._chosen(rng.random())
        own = self._rows.get(clip.id)
        if mixing is None or epoch < mixing.start_epoch or len(self._clips) <= (own is not None):
            return None
        return MixDraw(mixing.name, self._clips[self._partner(rng, own)], mixing.draw(rng))

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

    def rows(self, mixed: Sequence[MixDraw | None], kind: type[WaveMixing] | type[MelMixing]) -> list[int]:
        """The clips that are mixed by mixings of this kind."""
        return [row for row, each in enumerate(mixed) if each and isinstance(self.mixings[each.operation], kind)]

    def mix_waves(self, waves: Pair, labels: Pair, draws: BatchDraws) -> tuple[Tensor, Targets]:
        """Mixed waves (B, S) and targets, from those of the clips and their partners, (B, S) and (B, K) each."""
        wave_BS, targets = waves[0], Targets.unmixed(labels[0])
        for mixing in self.mixings.values():
            if isinstance(mixing, WaveMixing) and (rows := _rows_of(mixing.name, draws)):
                drawn, at = draws.mixes(rows), on_device(rows, wave_BS.device)
                own_BS, other_BS = (part_BS.index_select(0, at) for part_BS in waves)
                valid_B2 = on_device([(each.valid, each.partner_valid) for each in drawn], wave_BS.device)
                valids = valid_B2[:, 0], valid_B2[:, 1]
                mixed_BS, weight_B = mixing.mix((own_BS, other_BS), valids, [each.draw for each in drawn])
                wave_BS = wave_BS.index_copy(0, at, mixed_BS.to(wave_BS))
                targets = targets.mixed(at, labels[1].index_select(0, at), weight_B)
        return wave_BS, targets

    def mix_mels(
        self, mel_BCTF: Tensor, partner_BCTF: Tensor, targets: Targets, partner_BK: Tensor, draws: BatchDraws
    ) -> tuple[Tensor, Targets]:
        """Mixed spectrograms and targets. `partner_BCTF` holds the partners of `draws.mel_rows` alone, in this order;
        `partner_BK` a row for each clip of the batch."""
        unmixed_BCTF, device = mel_BCTF, mel_BCTF.device
        extents, partner_extents = draws.clips.mel_extents, draws.mel_partners.mel_extents
        for mixing in self.mixings.values():
            if isinstance(mixing, MelMixing) and (rows := _rows_of(mixing.name, draws)):
                places = [draws.mel_rows.index(row) for row in rows]
                at = on_device(rows, device)
                mels = unmixed_BCTF.index_select(0, at), partner_BCTF.index_select(0, on_device(places, device))
                sounding = [extents[row] for row in rows], [partner_extents[place] for place in places]
                mixed_BCTF, weight_B = mixing.mix(mels, [each.draw for each in draws.mixes(rows)], sounding)
                mel_BCTF = mel_BCTF.index_copy(0, at, mixed_BCTF.to(mel_BCTF))
                targets = targets.mixed(at, partner_BK.index_select(0, at), weight_B)
        return mel_BCTF, targets

    def _chosen(self, coin: float) -> Mixing | None:
        """The mixing in whose part of [0, 1) the number lies; the parts are as long as the probabilities."""
        end = 0.0
        for mixing in self.mixings.values():
            end += mixing.p
            if coin < end:
                return mixing
        return None


def _rows_of(operation: str, draws: BatchDraws) -> list[int]:
    return [row for row, mixed in enumerate(draws.mixed) if mixed is not None and mixed.operation == operation]
