"""How much of a sound is silence, and how loud the rest is.

Enters: a sound in blocks of any size; leaves: sums over its frames of 20 ms. A frame may span blocks, so that the size
of the blocks changes nothing.
"""

import numpy as np

SILENCE_DB = -80.0
"""dBFS: 16-bit noise lies at -96; what is below this is no sound."""
_FRAME_S = 0.02
_LONGEST_FRAME = 20_000
"""Samples: 20 ms at 1 MHz. Higher rates only stand in false headers."""
_FLOOR = 1e-10


class Silence:
    """Counts frames that are silent in every channel, and sums the energy of the others."""

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._frame = min(max(1, round(_FRAME_S * sample_rate)), _LONGEST_FRAME)
        self._rest_SC = np.zeros((0, channels), np.float32)
        self._frames = self._silent = 0
        self._loud_energy = self._loud_samples = 0.0

    def add(self, x_SC: np.ndarray) -> None:
        """The next block, float32 (S, C)."""
        x_SC = np.concatenate([self._rest_SC, x_SC])
        whole = len(x_SC) // self._frame * self._frame
        self._rest_SC = x_SC[whole:].copy()
        if whole:
            self._count(x_SC[:whole])

    def finish(self) -> None:
        """The sound has ended: a shorter frame at its end counts as a frame."""
        if len(self._rest_SC):
            self._count(self._rest_SC)
            self._rest_SC = self._rest_SC[:0]

    @property
    def share(self) -> float:
        """Of the frames: those that are silent."""
        return self._silent / self._frames

    @property
    def level_db(self) -> float:
        """Root mean square of the other frames, over all channels; -inf where there are none."""
        return float(decibels(self._loud_energy / self._loud_samples)) if self._loud_samples else -np.inf

    def _count(self, x_SC: np.ndarray) -> None:
        starts = np.arange(0, len(x_SC), self._frame)
        length_F = np.diff(np.append(starts, len(x_SC)))
        x_SC = x_SC.astype(np.float64)
        energy_FC = np.add.reduceat(x_SC**2, starts, axis=0)
        # A recorder without a microphone may write one value that is not zero.
        mean_FC = np.add.reduceat(x_SC, starts, axis=0) / length_F[:, None]
        silent_F = decibels((energy_FC / length_F[:, None] - mean_FC**2).max(axis=1).clip(0)) < SILENCE_DB
        self._frames += len(starts)
        self._silent += int(silent_F.sum())
        self._loud_energy += float(energy_FC[~silent_F].mean(axis=1).sum())
        self._loud_samples += float(length_F[~silent_F].sum())


def decibels(power: np.ndarray | float) -> np.ndarray:
    """10 log10, not below -100 dB."""
    return 10 * np.log10(np.asarray(power) + _FLOOR)
