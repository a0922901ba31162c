"""What was drawn for a batch: plain data, made by the reader threads before the batch is used."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from audiosurvey.augment.extent import Extent
from audiosurvey.data.table import Clip


@dataclass(frozen=True, slots=True)
class OperationDraws:
    """The draws of one operation."""

    operation: str
    draws: tuple[Any, ...]
    """One for each clip; None where the operation leaves it alone."""
    extents: tuple[Extent, ...] = ()
    """Where each clip sounds before the operation; empty for operations on bands."""


@dataclass(frozen=True, slots=True)
class ClipDraws:
    """The draws of all operations on some clips, apart from mixing; without those that leave all clips alone."""

    waves: tuple[OperationDraws, ...] = ()
    bands: tuple[OperationDraws, ...] = ()
    mels: tuple[OperationDraws, ...] = ()
    wave_extents: tuple[Extent, ...] = ()
    """Where each clip sounds after all operations on waves."""
    mel_extents: tuple[Extent, ...] = ()
    """The frames in which it sounds after all operations on spectrograms."""


@dataclass(frozen=True, slots=True)
class MixDraw:
    """How one clip is mixed."""

    operation: str
    partner: Clip
    draw: Any
    valid: int = 0
    """Samples of the clip before its padding when waves are mixed."""
    partner_valid: int = 0
    """Samples of its partner before the padding when waves are mixed."""


@dataclass(frozen=True, slots=True)
class BatchDraws:
    """Everything that is drawn for a batch."""

    mixed: tuple[MixDraw | None, ...]
    """One for each clip; None where it is not mixed."""
    clips: ClipDraws
    wave_rows: tuple[int, ...]
    """The clips whose waves are mixed."""
    mel_rows: tuple[int, ...]
    """The clips whose spectrograms are mixed."""
    wave_partners: ClipDraws = ClipDraws()
    """Of the partners of `wave_rows`, where waves are mixed last."""
    mel_partners: ClipDraws = ClipDraws()
    """Of the partners of `mel_rows`."""

    @property
    def partners(self) -> tuple[Clip | None, ...]:
        """The clip that each is mixed with."""
        return tuple(mixed and mixed.partner for mixed in self.mixed)

    def mixes(self, rows: Sequence[int]) -> list[MixDraw]:
        """How these clips are mixed; each of them is."""
        return [mixed for row in rows if (mixed := self.mixed[row]) is not None]
