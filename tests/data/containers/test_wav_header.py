"""WAV headers, from files and pipes alike."""

import io
import struct

import pytest

from audiosurvey.data.containers.wav_header import is_placeholder, lies_low, read_wav_header


class Pipe:
    """Can only be read."""

    def __init__(self, content: bytes) -> None:
        self._stream = io.BytesIO(content)

    def read(self, size: int, /) -> bytes:
        return self._stream.read(size)


def wav(order: str = "<", kind: bytes = b"RIFF", size: int = 8, long_size: int | None = None) -> bytes:
    chunks = b"odd!" + struct.pack(order + "I", 3) + b"abc\0"
    if long_size is not None:
        chunks = b"ds64" + struct.pack("<IQQQ", 24, 0, long_size, 0) + chunks
    chunks += b"fmt " + struct.pack(order + "IHHIIHH", 16, 1, 2, 8000, 64000, 8, 24)
    return (
        kind + struct.pack(order + "I", 99) + b"WAVE" + chunks + b"data" + struct.pack(order + "I", size) + b"sound..."
    )


@pytest.mark.parametrize("source", [io.BytesIO, Pipe])
@pytest.mark.parametrize(("order", "kind"), [("<", b"RIFF"), (">", b"RIFX"), ("<", b"RF64"), ("<", b"BW64")])
def test_a_header_is_read_up_to_the_first_sample(source: type, order: str, kind: bytes) -> None:
    stream = source(wav(order, kind))
    header = read_wav_header(stream)
    assert header is not None
    assert stream.read(8) == b"sound..."
    assert (header.promised, header.closed, header.open_end) == (8, 107, False)
    assert header.begin == len(wav()) - 8
    assert header.format is not None
    assert (header.format.rate, header.format.bits, header.format.width, header.format.loose_bytes) == (8000, 24, 4, 1)


def test_long_sizes_and_placeholders() -> None:
    long = read_wav_header(io.BytesIO(wav(kind=b"RF64", size=0xFFFFFFFF, long_size=5_000_000_000)))
    assert long is not None
    assert (long.promised, long.open_end) == (5_000_000_000, False)
    assert is_placeholder(0xFFFFFFFF)
    assert is_placeholder(0x7FFFF000)
    assert not is_placeholder(3_000_000_000)


@pytest.mark.parametrize("content", [b"", b"RIFF", b"RIFF....WAVE", wav()[:30], b"FORM" + wav()[4:], wav()[:-17]])
def test_stumps_and_others_are_no_wav(content: bytes) -> None:
    assert read_wav_header(io.BytesIO(content)) is None


@pytest.mark.parametrize(
    ("value", "low"),
    [
        *((b"\1\2\3\0", True), (b"\1\2\3\xff", True), (b"\0\1\2\3", False), (b"\1\2\3\4", False)),
        *((bytes(4), None), (b"\0\1\2\0", None), (b"\0\1\2\xff", None)),
    ],
)
def test_where_samples_lie_in_their_containers(value: bytes, low: bool | None) -> None:
    assert lies_low(bytes(400) + value + b"x", 4, 1) is low
