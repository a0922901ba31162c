"""Walking MP3 frames: sizes by the standard, junk, tags, Xing headers."""

import io
import re

import numpy as np
import pytest
import soundfile

from audiosurvey.data.containers.byte_view import Part, Window
from audiosurvey.data.containers.mp3_frames import _frame, is_mpeg, mp3_begin, mp3_parts

RATE = 16000


def mp3(seconds: float = 1.0) -> bytes:
    file = io.BytesIO()
    wave = np.random.default_rng(1).uniform(-0.3, 0.3, int(seconds * RATE))
    soundfile.write(file, wave, RATE, format="MP3", bitrate_mode="VARIABLE")
    return file.getvalue()


def parts(content: bytes) -> list[Part]:
    window = Window(io.BytesIO(content))
    begin = mp3_begin(window)
    assert begin is not None
    return mp3_parts(window, begin, window.size)


@pytest.mark.parametrize(
    ("header", "kind", "size", "samples"),
    [
        (0xFFFB9000, (3, 3, 44100, 2), 417, 1152),  # 128 kb/s: 144 * 128000 / 44100
        (0xFFFB92C0, (3, 3, 44100, 1), 418, 1152),  # padded, mono
        (0xFFF384C4, (2, 3, 24000, 1), 192, 576),  # MPEG-2, 64 kb/s: 72 * 64000 / 24000
        (0xFFE318C4, (0, 3, 8000, 1), 72, 576),  # MPEG-2.5, 8 kb/s
        (0xFFFD84C0, (3, 2, 48000, 1), 384, 1152),  # layer II, 128 kb/s: 144 * 128000 / 48000
        (0xFFFF3000, (3, 1, 44100, 2), 104, 384),  # layer I, 96 kb/s: 12 * 96000 / 44100 = 26 words of four bytes
    ],
)
def test_headers_by_the_standard(header: int, kind: tuple[int, ...], size: int, samples: int) -> None:
    frame = _frame(header)
    assert frame is not None
    assert (frame.kind, frame.size, frame.samples) == (kind, size, samples)


@pytest.mark.parametrize("header", [0xFFFB0000, 0xFFFBF000, 0xFFFB9C00, 0xFFEB9000, 0xFFF99000, 0x00FB9000, 0xFFFB9002])
def test_what_is_no_header(header: int) -> None:
    assert _frame(header) is None


def test_free_format_is_told_but_not_counted() -> None:
    content = bytes.fromhex("fffb0000") + bytes(2000)
    window = Window(io.BytesIO(content))
    assert is_mpeg(window, 0)
    assert mp3_begin(window) is None


def test_junk_and_tags_are_left_out() -> None:
    plain = mp3()
    whole = parts(plain)
    assert len(whole) == 1
    assert whole[0].size == len(plain)
    frames = plain[plain.index(plain[:2], 160) :]
    second = frames.index(frames[:2], 50)
    junk = b"TAG" + bytes(125) + b"junk" * 1000
    found = parts(b"ID3\4\0\0\0\0\0\x09" + b"\0" * 9 + frames[:second] + junk + frames[second:] + junk)
    assert len(found) == 1
    assert found[0].size == len(frames)
    assert found[0].open_end
    assert found[0].frames is not None
    assert found[0].frames % 576 == 0


def test_a_wrong_header_is_mended_and_a_missing_end_is_named() -> None:
    plain = mp3()
    assert parts(plain)[0].fault is None
    cut = parts(plain[: len(plain) // 2])[0]
    assert cut.fault is not None
    assert re.match(r"truncated: \d+ of \d+ MP3 frames according to its header", cut.fault)


def test_each_xing_header_begins_a_part_and_text_has_none() -> None:
    assert len(parts(mp3() + mp3(0.5) + mp3())) == 3
    assert mp3_begin(Window(io.BytesIO(b"no sound at all " * 100))) is None
