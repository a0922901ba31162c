"""FLAC: the number of samples by the last frame, for every block size and number of channels."""

import io

import numpy as np
import pytest
import soundfile

from audiosurvey.data.containers.byte_view import Window
from audiosurvey.data.containers.flac_frames import _crc, flac_parts


def flac(frames: int, channels: int = 1, rate: int = 8000, **how: object) -> bytes:
    file = io.BytesIO()
    wave = np.random.default_rng(2).uniform(-0.5, 0.5, (frames, channels))
    soundfile.write(file, wave, rate, format="FLAC", **how)  # pyright: ignore[reportArgumentType]
    return file.getvalue()


def with_total(content: bytes, total: int) -> bytes:
    field = int.from_bytes(content[21:26], "big") >> 36 << 36 | total
    return content[:21] + field.to_bytes(5, "big") + content[26:]


def test_checksums_of_the_standard_check_value() -> None:
    assert _crc(b"123456789", 8, 0x07) == 0xF4
    assert _crc(b"123456789", 16, 0x8005) == 0xFEE8


@pytest.mark.parametrize("frames", [1, 200, 4096, 4097, 30_000, 600_000])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(("rate", "level"), [(8000, 0.0), (44100, 1.0), (12345, 0.5)])
def test_the_last_frame_tells_the_length(frames: int, channels: int, rate: int, level: float) -> None:
    content = flac(frames, channels, rate, compression_level=level)
    window = Window(io.BytesIO(content))
    assert flac_parts(window, 0)[0].pieces == ((0, len(content)),)
    for total in (frames + 1, 2 * frames + 5):
        (part,) = flac_parts(Window(io.BytesIO(with_total(content, total))), 0)
        assert part.fault == f"truncated: {frames} of {total} frames according to its header"
        assert part.pieces[0] == content[:42]
    if frames > 1:
        (part,) = flac_parts(Window(io.BytesIO(with_total(content, frames - 1))), 0)
        assert part.fault is None
        assert part.pieces[0] == content[:42]


def test_joined_files_are_taken_apart() -> None:
    one, other = flac(5000), flac(300, 2)
    found = flac_parts(Window(io.BytesIO(one + other + one)), 0)
    at = len(one) + len(other)
    assert [part.pieces for part in found] == [((0, len(one)),), ((len(one), at),), ((at, at + len(one)),)]
