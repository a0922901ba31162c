"""What band operations have in common: they act between the power spectrum and its compression.

Enters: waveforms (B, S), a mel front end and what was drawn; leaves: compressed mel spectrograms (B, 1, T, F).
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from audiosurvey.augment.base import Config, Draw, Operation
from audiosurvey.features.mel import MelFrontEnd


class BandOperation(Operation[Config, Draw]):
    """An augmentation of mel bands before their compression: other filters (one operation may), or changed bands."""

    def draw(self, rng: np.random.Generator) -> Draw | None:
        """The draw of one clip, or None."""
        return self.draw_fired(rng) if self._fires(rng) else None

    @abstractmethod
    def draw_fired(self, rng: np.random.Generator) -> Draw:
        """The draw of a selected clip."""

    def filters(self, draws: Sequence[Draw | None], front_end: MelFrontEnd) -> Tensor | None:
        """A filter bank for each clip, (B, bins, F), to use instead of the front end's; None to keep that one."""
        return None

    def change(self, mel_BTF: Tensor, draws: Sequence[Draw | None], front_end: MelFrontEnd) -> Tensor:
        """Uncompressed mel bands with the drawn changes; clips without a draw are unchanged."""
        return mel_BTF


def spectrogram(
    front_end: MelFrontEnd, wave_BS: Tensor, drawn: Sequence[tuple[BandOperation[Any, Any], Sequence[Any]]]
) -> Tensor:
    """Compressed mel spectrograms (B, 1, T, F), each operation applied with its draws, one for each clip."""
    drawn = [(operation, draws) for operation, draws in drawn if any(draw is not None for draw in draws)]
    with torch.autocast(wave_BS.device.type, enabled=False):
        wave_BS = wave_BS.float()
        banks = [bank for operation, draws in drawn if (bank := operation.filters(draws, front_end)) is not None]
        mel_BTF = front_end.power(wave_BS) @ banks[0] if banks else front_end.mel(wave_BS)
        for operation, draws in drawn:
            mel_BTF = operation.change(mel_BTF, draws, front_end)
        return front_end.compress(mel_BTF).unsqueeze(1)
