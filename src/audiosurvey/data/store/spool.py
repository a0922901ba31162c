"""Converts one recording from float32 blocks to int16 blocks with one scale, in bounded memory.

The scale follows from the peak, which is known only at the end. Up to `IN_MEMORY` samples are held in memory, longer
recordings in a temporary file.
"""

import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

IN_MEMORY = 1 << 20
"""Samples: 4 MiB, or 33 s at 32 kHz."""
FULL_SCALE = 32767
SILENT_PEAK = 1e-30
"""Peaks below this (-600 dB) are stored as silence: their scale would leave the range of float32."""
_BLOCK = 1 << 18


def quantize(wave_S: np.ndarray) -> tuple[np.ndarray, float]:
    """int16 (S,) and the scale that restores the wave: wave = int16 * scale, to within half a scale."""
    peak = _peak(wave_S)
    return _quantized(wave_S, peak), _scale(peak)


class Spool:
    """Collects the blocks of a recording (`add`), and gives them as int16 with one scale (`finish`, `write_to`).

    The result is that of `quantize` on all blocks joined. Close it, or use it in a `with` statement.
    """

    def __init__(self, folder: Path) -> None:
        """`folder`: for the (unnamed) temporary file of a long recording."""
        self._folder = folder
        self._parts: list[np.ndarray] = []
        self._file: BinaryIO | None = None
        self._peak = 0.0
        self.samples = 0

    def add(self, wave_S: np.ndarray) -> None:
        """Adds the next block, float32 (S). Raises OSError where the disk is full."""
        self._peak = max(self._peak, _peak(wave_S))
        self.samples += len(wave_S)
        if self._file is None and self.samples > IN_MEMORY:
            self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115  (closed by `close`)
            for part_S in self._parts:
                self._file.write(part_S.data)
            self._parts = []
        if self._file is None:
            self._parts.append(wave_S)
        else:
            self._file.write(np.ascontiguousarray(wave_S).data)

    def finish(self) -> float:
        """Quantises the blocks in place, and gives the scale."""
        self._parts = [_quantized(part_S, self._peak) for part_S in self._parts]
        if self._file is not None:
            for begin in range(0, self.samples, _BLOCK):
                self._file.seek(4 * begin)
                wave_S = np.frombuffer(self._file.read(4 * _BLOCK), np.float32)
                # The two bytes per sample end before the four bytes that are read next.
                self._file.seek(2 * begin)
                self._file.write(_quantized(wave_S, self._peak).data)
            self._file.truncate(2 * self.samples)
        return _scale(self._peak)

    def write_to(self, target: BinaryIO) -> str | None:
        """Appends the int16 samples to an open file. Returns their hash, which is the same for a WAV and a FLAC of one
        sound, and at another level; None for silence."""
        hashed, values = hashlib.blake2b(digest_size=16), set[int]()
        for part_S in self._quantized():
            target.write(part_S.data)
            hashed.update(part_S.data)
            if len(part_S) and len(values) < 2:
                values |= {int(part_S.min()), int(part_S.max())}
        return hashed.hexdigest() if len(values) > 1 else None

    def _quantized(self) -> Iterator[np.ndarray]:
        if self._file is None:
            yield from self._parts
            return
        self._file.seek(0)
        while block := self._file.read(2 * _BLOCK):
            yield np.frombuffer(block, "<i2")

    def close(self) -> None:
        self._parts = []
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> "Spool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _peak(wave_S: np.ndarray) -> float:
    return max(float(wave_S.max()), -float(wave_S.min())) if len(wave_S) else 0.0


def _quantized(wave_S: np.ndarray, peak: float) -> np.ndarray:
    if peak < SILENT_PEAK:
        return np.zeros(len(wave_S), "<i2")
    return np.rint(wave_S * np.float32(FULL_SCALE / peak)).clip(-FULL_SCALE, FULL_SCALE).astype("<i2")


def _scale(peak: float) -> float:
    return peak / FULL_SCALE if peak >= SILENT_PEAK else 1.0
