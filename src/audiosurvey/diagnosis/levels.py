"""Clipped samples, silent frames and level of a sound that arrives in blocks. The size of the blocks has no effect."""

import numpy as np

SILENCE_DB = -80.0
"""dBFS. The noise floor of 16 bits is -96 dBFS."""
STEP_16_BIT = 2.0**-15
_FULL_SCALE = 0.98
_RUN = 3
_REACH = _RUN - 1
"""Whether a sample is part of a flat top depends on this many samples before and after it."""
_FRAME_S = 0.02
_LONGEST_FRAME = 20_000
"""Samples, for 20 ms at 1 MHz. Higher rates occur in corrupt headers only."""


class ClippingCounter:
    """Counts clipped samples: at least three equal ones in a row at full scale, and any beyond full scale."""

    def __init__(self, channels: int) -> None:
        self._held_SC = np.zeros((0, channels), np.float32)
        self._counted = 0
        """Held samples that are counted already and only kept as context."""
        self.samples = 0

    def add(self, x_SC: np.ndarray) -> None:
        """Take the next block, float32 (S, C)."""
        x_SC = np.concatenate([self._held_SC, x_SC])
        end = max(self._counted, len(x_SC) - _REACH)
        self._count(x_SC, end)
        first = max(0, end - _REACH)
        self._held_SC, self._counted = x_SC[first:].copy(), end - first

    def finish(self) -> None:
        """Count what is still held at the end of the sound."""
        self._count(self._held_SC, len(self._held_SC))
        self._counted = len(self._held_SC)

    def _count(self, x_SC: np.ndarray, end: int) -> None:
        if len(x_SC) and max(float(x_SC.max()), -float(x_SC.min())) >= _FULL_SCALE:
            self.samples += int(np.count_nonzero(_clipped(x_SC)[self._counted : end]))


class SilenceMeter:
    """Counts frames of 20 ms that are silent in every channel, and measures the level of the others."""

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._frame = min(max(1, round(_FRAME_S * sample_rate)), _LONGEST_FRAME)
        self._rest_SC = np.zeros((0, channels), np.float32)
        self._frames = self._silent = 0
        self._loud_energy = self._loud_samples = 0.0

    def add(self, x_SC: np.ndarray) -> None:
        """Take the next block, float32 (S, C)."""
        x_SC = np.concatenate([self._rest_SC, x_SC])
        whole = len(x_SC) // self._frame * self._frame
        self._rest_SC = x_SC[whole:].copy()
        if whole:
            self._count(x_SC[:whole])

    def finish(self) -> None:
        """Count the last, shorter frame."""
        if len(self._rest_SC):
            self._count(self._rest_SC)
            self._rest_SC = self._rest_SC[:0]

    @property
    def share(self) -> float:
        """Share of silent frames."""
        return self._silent / self._frames

    @property
    def level_db(self) -> float:
        """RMS of the other frames over all channels; -inf without any."""
        return float(decibels(self._loud_energy / self._loud_samples)) if self._loud_samples else -np.inf

    def _count(self, x_SC: np.ndarray) -> None:
        starts = np.arange(0, len(x_SC), self._frame)
        length_F = np.diff(np.append(starts, len(x_SC)))
        x_SC = x_SC.astype(np.float64)
        energy_FC = np.add.reduceat(x_SC**2, starts, axis=0)
        # The mean is removed: a recorder without a microphone may write a constant that is not zero.
        mean_FC = np.add.reduceat(x_SC, starts, axis=0) / length_F[:, None]
        silent_F = decibels((energy_FC / length_F[:, None] - mean_FC**2).max(axis=1).clip(0)) < SILENCE_DB
        self._frames += len(starts)
        self._silent += int(silent_F.sum())
        self._loud_energy += float(energy_FC[~silent_F].mean(axis=1).sum())
        self._loud_samples += float(length_F[~silent_F].sum())


def decibels(power: np.ndarray | float) -> np.ndarray:
    """10 log10(power), at least -100 dB."""
    return 10 * np.log10(np.asarray(power) + 1e-10)


def _clipped(x_SC: np.ndarray) -> np.ndarray:
    """Whether each sample is clipped, (S, C)."""
    high_SC = np.abs(x_SC) >= _FULL_SCALE
    flat_SC = high_SC[1:] & high_SC[:-1] & (np.abs(np.diff(x_SC, axis=0)) <= STEP_16_BIT)
    # Two flat steps in a row mark all three of their samples.
    pair_SC = flat_SC[1:] & flat_SC[:-1]
    clipped_SC = np.abs(x_SC) > 1.0
    for shift in range(_RUN):
        clipped_SC[shift : shift + len(pair_SC)] |= pair_SC
    return clipped_SC
