"""Windows of equal length over a sound: where they start, and how short ones are padded.

Training, evaluation, prediction, streaming and golden clips all cut sounds here.
"""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Literal

import numpy as np

Pad = Literal["zeros", "repeat"]
"""How a window is filled up after the end of a short sound: with silence, or with the sound repeated."""


def window_starts(length: int, window: int) -> list[int]:
    """Starts of ceil(length / window) windows that cover `length` samples, evenly spread, without a gap."""
    count = max(1, -(-length // window))
    # The step is (length - window) / (count - 1) <= window, so that rounding down leaves no sample out.
    return [place * (length - window) // (count - 1) for place in range(count)] if count > 1 else [0]


def even_hop(length: int, window: int) -> Fraction:
    """The hop with which `cut` begins its windows at `window_starts(length, window)`."""
    count = len(window_starts(length, window))
    return Fraction(length - window, count - 1) if count > 1 else Fraction(window)


def fill_tail(row_S: np.ndarray, filled: int, pad: Pad) -> int:
    """Pads a window in place after its first `filled` samples; returns how many samples count as sound."""
    if pad == "repeat":
        # Doubling, which is fast for short sounds too.
        while 0 < filled < len(row_S):
            more = min(filled, len(row_S) - filled)
            row_S[filled : filled + more] = row_S[:more]
            filled += more
    row_S[filled:] = 0
    return filled


def window_at(wave_S: np.ndarray, start: int, window: int, pad: Pad) -> np.ndarray:
    """The window (S) of a wave that begins at `start`, padded after the end of the wave; float32."""
    row_S = np.empty(window, np.float32)
    part_S = wave_S[start : start + window]
    row_S[: len(part_S)] = part_S
    fill_tail(row_S, len(part_S), pad)
    return row_S


def split_windows(wave_S: np.ndarray, window: int, pad: Pad) -> np.ndarray:
    """All windows (W, S) of a wave, float32: the first begins with it and the last ends with it."""
    return np.stack([window_at(wave_S, start, window, pad) for start in window_starts(len(wave_S), window)])


def cut(blocks: Iterable[np.ndarray], window: int, hop: Fraction) -> Iterator[tuple[int, np.ndarray]]:
    """Windows of a stream: the start of each, and its samples. Holds no more than a window and a block.

    Window n begins at n * hop rounded down, so that the times do not drift. The last one ends with the sound, unless
    the hop leaves gaps between windows anyway. A sound shorter than a window gives one window, which is not padded.
    """
    held_S, begin, number = np.empty(0, np.float32), 0, 0
    for block_S in blocks:
        held_S = np.concatenate([held_S, block_S])
        end = begin + len(held_S)
        while (start := int(number * hop)) + window <= end:
            yield start, held_S[start - begin : start - begin + window]
            number += 1
        # Keep the next window, and the last `window` samples in case the sound ends here.
        keep = max(begin, min(start, end - window))
        held_S, begin = held_S[keep - begin :], keep
    end = begin + len(held_S)
    if number == 0:
        if len(held_S):
            yield 0, held_S
    elif hop <= window and end > int((number - 1) * hop) + window:
        yield end - window, held_S[-window:]
