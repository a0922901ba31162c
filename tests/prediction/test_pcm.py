"""Samples from a pipe: every encoding against soundfile, whatever the portions they come in; WAV headers."""

import io
import struct
from collections.abc import Callable
from typing import BinaryIO

import numpy as np
import pytest
import soundfile

from audiosurvey.data.audio.decoding import BadAudio, decode
from audiosurvey.errors import ArgumentError, UserError
from audiosurvey.prediction.pcm import ENCODINGS, PcmFormat, PcmSource, read_wav_format

WAVE = np.random.default_rng(5).uniform(-0.9, 0.9, (1000, 2))
SUBTYPES = {"u8": "PCM_U8", "s8": "PCM_S8", "s16": "PCM_16", "s24": "PCM_24", "s32": "PCM_32", "f32": "FLOAT"}
SUBTYPES["f64"] = "DOUBLE"


class Trickle(io.BytesIO):
    """Gives no more than a few bytes at a time, as a pipe may."""

    def read1(self, size: int | None = -1) -> bytes:
        return self.read(min(7, size or 7))


def raw(encoding: str) -> tuple[bytes, np.ndarray]:
    """Raw samples as libsndfile writes them, and what it reads back."""
    if encoding == "s24_32le":
        content, wanted = raw("s24le")
        # The fourth byte holds nothing.
        return b"".join(content[at : at + 3] + b"\x5a" for at in range(0, len(content), 3)), wanted
    kind = encoding.removesuffix("le").removesuffix("be")
    endian = {"le": "LITTLE", "be": "BIG"}.get(encoding[-2:], "FILE")
    file = io.BytesIO()
    how = {"format": "RAW", "subtype": SUBTYPES[kind], "endian": endian}
    soundfile.write(file, WAVE, 8000, **how)
    content = file.getvalue()
    return content, soundfile.read(io.BytesIO(content), dtype="float32", samplerate=8000, channels=2, **how)[0]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("stream", [io.BytesIO, Trickle])
def test_every_encoding_is_what_libsndfile_reads(encoding: str, stream: Callable[[bytes], BinaryIO]):
    content, wanted = raw(encoding)
    source = PcmSource(stream(content[12:]), PcmFormat(8000, 2, encoding), begin=content[:12])
    blocks = list(source.blocks(8000, "left"))
    np.testing.assert_allclose(np.concatenate(blocks), wanted[:, 0], atol=1e-7)
    assert np.abs(wanted).max() > 0.5


def test_a_frame_cut_in_two_at_the_end_is_left_out():
    content, wanted = raw("s16le")
    source = PcmSource(io.BytesIO(content[:-3]), PcmFormat(8000, 2))
    assert len(np.concatenate(list(source.blocks(8000, "mean")))) == len(wanted) - 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((0, 1, "s16le"), "--rate 0, --channels 1: expected at least 1"),
        ((8000, 0, "s16le"), "--rate 8000, --channels 0: expected at least 1"),
        ((8000, 1, "mp3"), "--encoding mp3: unknown"),
    ],
)
def test_formats_that_cannot_be_are_one_line(words, said):
    with pytest.raises(ArgumentError, match=r"channels=.*: expected at least 1|encoding='mp3': unk") as error:
        PcmFormat(*words)
    (line,) = error.value.flag_lines
    assert line.startswith(said)


def test_the_loudest_channel_of_a_pipe_is_refused():
    source = PcmSource(io.BytesIO(bytes(8)), PcmFormat(8000, 2))
    with pytest.raises(UserError, match="send one channel"):
        source.blocks(8000, "loudest")
    assert len(next(PcmSource(io.BytesIO(bytes(8)), PcmFormat(8000, 1)).blocks(8000, "loudest"))) == 4


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize("format", ["WAV", "WAVEX"])
def test_a_wav_is_read_on_the_way(format, subtype):
    file = io.BytesIO()
    soundfile.write(file, WAVE, 44100, format=format, subtype=subtype)
    content = file.getvalue()
    stream = Trickle(content[12:])
    found = read_wav_format(stream)
    assert found is not None
    source = PcmSource(stream, found[0], promised=found[1])
    blocks = np.concatenate(list(source.blocks(8000, "mean")))
    np.testing.assert_allclose(blocks, decode(content, sample_rate=8000), atol=1e-6)
    assert PcmSource(stream, found[0], promised=found[1]).length(8000) == len(blocks)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFF000])
def test_a_wav_of_unknown_length_goes_on_to_the_end(size):
    file = io.BytesIO()
    soundfile.write(file, WAVE, 8000, format="WAV")
    content = bytearray(file.getvalue())
    place = content.index(b"data") + 4
    content[place : place + 4] = size.to_bytes(4, "little")
    stream = io.BytesIO(content[12:])
    found = read_wav_format(stream)
    assert found is not None
    assert found == (PcmFormat(8000, 2, "s16le"), None)
    assert sum(map(len, PcmSource(stream, found[0]).blocks(8000, "mean"))) == 1000


def test_a_wav_that_ends_early_says_so_after_what_is_there():
    file = io.BytesIO()
    soundfile.write(file, WAVE, 8000, format="WAV")
    stream = io.BytesIO(file.getvalue()[12:-400])
    found = read_wav_format(stream)
    assert found is not None
    given: list[np.ndarray] = []
    with pytest.raises(BadAudio, match="truncated: 3600 of 4000 bytes of sound according to its header"):
        given.extend(PcmSource(stream, found[0], promised=found[1]).blocks(8000, "mean"))
    assert sum(map(len, given)) == 900


@pytest.mark.parametrize("place", ["low", "high"])
@pytest.mark.parametrize("stream", [io.BytesIO, Trickle])
def test_a_wav_of_24_bits_in_four_bytes_is_read_on_the_way(place, stream):
    """Only the samples show which bytes they fill; the zeros before them do not."""
    value = np.round(WAVE * 2**23).astype("<i4")
    value = np.concatenate([np.zeros((20_000, 2), "<i4"), value])
    samples = (value << 8 if place == "high" else value).tobytes()
    format = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 2, 8000, 64000, 8, 24)
    file = stream(format + b"data" + struct.pack("<I", len(samples)) + samples)
    found = read_wav_format(file)
    assert found is not None
    assert found == (PcmFormat(8000, 2, "s24_32le"), len(samples))
    blocks = PcmSource(file, found[0], promised=found[1], undecided=True).blocks(8000, "left")
    np.testing.assert_allclose(np.concatenate(list(blocks)), value[:, 0] / 2**23, atol=1e-7)


@pytest.mark.parametrize("subtype", ["ULAW", "IMA_ADPCM"])
def test_a_wav_of_another_kind_is_left_to_libsndfile(subtype):
    file = io.BytesIO()
    soundfile.write(file, WAVE, 8000, format="WAV", subtype=subtype)
    assert read_wav_format(io.BytesIO(file.getvalue()[12:])) is None


@pytest.mark.parametrize("content", [b"", b"fmt ", b"fmt \x02\0\0\0ab", b"data\x04\0\0\0abcd"])
def test_stumps_of_headers_are_no_wav(content):
    assert read_wav_format(io.BytesIO(content)) is None
