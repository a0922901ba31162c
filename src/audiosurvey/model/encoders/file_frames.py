"""From waves to embeddings by the runtime of a model file: windows, the frames of each, and pooling over them."""

from typing import Literal

import numpy as np

from audiosurvey.data.audio.windows import window_at, window_starts
from audiosurvey.errors import UserError
from audiosurvey.model.encoders.model_file import Run

_AT_ONCE = 16
"""Windows in a batch."""


def shaped(wave_BS: np.ndarray, axes: int) -> np.ndarray:
    """Waves in the shape of an input with so many axes; with one axis, of a single wave."""
    if axes == 1:
        return wave_BS[0]
    return wave_BS[:, None] if axes == 3 else wave_BS


def frames_of(found: np.ndarray, samples: int) -> np.ndarray:
    """What a file gives for one window of so many samples as frames (T, N): axes of size 1 do not count, the last one
    holds the features.

    Raises UserError for more axes, and for a window of which the file makes no frame.
    """
    if not found.size:
        raise UserError(f"gives no features for waves of {samples} samples, which are too short for it")
    sizes = [size for size in found.shape if size != 1]
    if len(sizes) > 2:
        raise UserError(
            f"gives maps {found.shape}, not features or frames of features; take a tensor after the pooling"
        )
    return np.asarray(found, np.float32).reshape(sizes[0] if len(sizes) == 2 else 1, sizes[-1] if sizes else 1)


def embed_waves(
    run: Run,
    wave_BS: np.ndarray,
    pool: Literal["mean", "max"],
    *,
    window: int | None,
    axes: int,
    batches: bool,
) -> np.ndarray:
    """The embeddings (B, N) of waves: frames of all windows of a wave, pooled.

    The windows cover a wave, evenly spread; the last one ends with it. A shorter wave is filled up with zeros.
    `window`: its samples, None for the whole wave; `axes`: of the input of the file; `batches`: whether it takes
    several windows at once.
    """
    samples = wave_BS.shape[1]
    length = window or samples
    starts = window_starts(samples, length)
    window_WS = np.stack([window_at(wave_S, start, length, "zeros") for wave_S in wave_BS for start in starts])
    step = _AT_ONCE if batches else 1
    frames: list[np.ndarray] = []
    for first in range(0, len(window_WS), step):
        part_WS = window_WS[first : first + step]
        found = run(shaped(part_WS, axes))
        frames += [frames_of(row, length) for row in found] if batches else [frames_of(found, length)]
    each = len(starts)
    of_waves = [np.concatenate(frames[first : first + each]) for first in range(0, len(frames), each)]
    return np.stack([frames_TN.max(axis=0) if pool == "max" else frames_TN.mean(axis=0) for frames_TN in of_waves])
