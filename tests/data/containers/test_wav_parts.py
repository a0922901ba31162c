"""WAV files with a corrected header, without a copy of what stands before the samples."""

import io
import struct

import numpy as np
import pytest

from audiosurvey.data.audio.decoding import decode
from audiosurvey.data.audio.integrity import sound_parts


@pytest.mark.parametrize("unclosed", [False, True])
@pytest.mark.parametrize(("bits", "align"), [(16, 2), (24, 4)])
def test_a_long_chunk_before_the_samples_is_not_held_in_memory(unclosed: bool, bits: int, align: int) -> None:
    value = np.arange(-2000, 2000)
    samples = value.astype(f"<i{align}").tobytes()
    body = b"WAVEbext" + struct.pack("<I", 1 << 20) + bytes(1 << 20)
    body += b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 8000 * align, align, bits)
    body += b"data" + struct.pack("<I", 0 if unclosed else len(samples)) + samples
    content = b"RIFF" + struct.pack("<I", 0 if unclosed else len(body)) + body

    (part,) = sound_parts(io.BytesIO(content))
    assert sum(len(piece) for piece in part.pieces if isinstance(piece, bytes)) <= 10
    np.testing.assert_array_equal(decode(content, sample_rate=None), (value / 2 ** (bits - 1)).astype(np.float32))
