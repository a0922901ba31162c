"""What augmentation asks of the mel bands: a front end applies it, for it acts before the compression.

Enters: the draws of a batch's clips, as tensors; leaves: an argument of the front end.
"""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True)
class BandChange:
    """How the bands of the clips of a batch differ from the config's. None: not at all."""

    edge_shifts_B2: Tensor | None = None
    """Hz by which the lowest and the highest band edge of each clip are moved."""
    gain_db_BF: Tensor | None = None
    """dB by which each band of each clip is louder."""
    pitch_B: Tensor | None = None
    """Factor by which the frequencies of each clip are multiplied."""
