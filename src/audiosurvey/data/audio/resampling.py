"""Sound of any length as mono blocks at one sample rate, in bounded memory.

The blocks joined are, bit for bit, what `decoding.decode` gives of the whole: soxr keeps its state from block to block,
and mixing down looks at one frame at a time.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress

import numpy as np
import soxr

from audiosurvey.data.audio.decoding import AudioFile, BadAudio, Mono, blocks, resampled_length, to_mono
from audiosurvey.data.audio.plausibility import implausible


def mono_blocks(
    source: AudioFile,
    *,
    start_s: float | None = None,
    end_s: float | None = None,
    mono: Mono,
    sample_rate: int,
    cut: bool = False,
) -> Iterator[np.ndarray]:
    """The stretch as mono float32 blocks (S) at `sample_rate`; parameters as in `decode` and `blocks`.

    With `mono` "loudest", a file of several channels is decoded twice: the loudest channel is known only at the end.
    Raises BadAudio as `decode` does, perhaps after some blocks.
    """
    stretch = {"start_s": start_s, "end_s": end_s}
    channel = _loudest(source, stretch, cut) if mono == "loudest" else None
    with blocks(source, **stretch, cut=cut) as (about, blocks_SC):
        if channel is not None:
            blocks_SC = (block_SC[:, channel : channel + 1] for block_SC in blocks_SC)
        yield from _converted(blocks_SC, about.sample_rate, sample_rate, mono)


def converted(
    blocks_SC: Iterable[np.ndarray], rate: int, *, sample_rate: int, mono: Mono = "mean"
) -> Iterator[np.ndarray]:
    """Blocks of float32 (S, C) at `rate` as mono blocks (S) at `sample_rate`.

    `mono`: "mean" or "left"; "loudest" only for blocks of one channel. All blocks together give
    round(frames * sample_rate / rate) samples, as the whole sound would. Raises BadAudio for samples that are not
    plausible (see `plausibility`), and where there is no sound.
    """
    return _converted(map(_plausible, blocks_SC), rate, sample_rate, mono)


def _plausible(block_SC: np.ndarray) -> np.ndarray:
    if fault := implausible(block_SC):
        raise BadAudio(fault)
    return block_SC


def _converted(blocks_SC: Iterable[np.ndarray], rate: int, sample_rate: int, mono: Mono) -> Iterator[np.ndarray]:
    resampler = (
        soxr.ResampleStream(rate, sample_rate, 1, dtype="float32", quality="HQ") if rate != sample_rate else None
    )
    frames = given = 0
    for block_SC in blocks_SC:
        frames += len(block_SC)
        wave_S = to_mono(block_SC, mono)
        if resampler is not None:
            wave_S = resampler.resample_chunk(wave_S)
        given += len(wave_S)
        if len(wave_S):
            yield wave_S
    if frames == 0:
        raise BadAudio("contains no sound (zero frames)")
    length = resampled_length(frames, rate, sample_rate)
    if length == 0:
        raise BadAudio(f"too short: {frames} frames at {rate} Hz are less than a sample at {sample_rate} Hz")
    if resampler is not None:
        # soxr rounds the length differently: a sample more or less at the end is cut or padded.
        rest_S = resampler.resample_chunk(np.empty(0, np.float32), last=True)[: max(0, length - given)]
        yield np.pad(rest_S, (0, max(0, length - given - len(rest_S))))


def _loudest(source: AudioFile, stretch: dict[str, float | None], cut: bool) -> int | None:
    """The channel with the most energy in the stretch, the first of equally loud ones; None for mono files."""
    with blocks(source, **stretch, cut=cut) as (about, blocks_SC):
        if about.channels == 1:
            return None
        energy_C = np.zeros(about.channels)
        with suppress(BadAudio):  # raised again when the channel is read
            for block_SC in blocks_SC:
                energy_C += np.einsum("sc,sc->c", block_SC, block_SC, dtype=np.float64)
    return int(np.argmax(energy_C))
