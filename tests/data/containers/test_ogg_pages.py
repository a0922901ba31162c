"""Ogg pages: where joined streams part, and the fault of each."""

import io
import struct

import pytest

from audiosurvey.data.containers.byte_view import Window
from audiosurvey.data.containers.ogg_pages import ogg_parts

FIRST, LAST = 2, 4


def page(flags: int, body: bytes = b"body") -> bytes:
    return b"OggS\0" + bytes([flags]) + struct.pack("<qIII", 0, 1, 0, 0) + bytes([1, len(body)]) + body


STREAM = page(FIRST) + page(0) + page(0, b"OggS inside") + page(LAST)


@pytest.mark.parametrize(
    ("content", "faults"),
    [
        (STREAM, [None]),
        (STREAM + b"TAG" + bytes(125), [None]),
        (page(FIRST) + STREAM, [None]),  # two streams that play together
        (STREAM + STREAM + STREAM, [None, None, None]),
        (STREAM + STREAM[:-30], [None, "no end-of-stream page"]),
        (STREAM[: -len(page(LAST))] + STREAM, ["no end-of-stream page", None]),
        (STREAM[:-2], ["last page of the Ogg stream is incomplete"]),
        (STREAM[: len(page(FIRST)) + 10], ["last page of the Ogg stream is incomplete"]),
    ],
)
def test_streams_and_their_faults(content: bytes, faults: list[str | None]) -> None:
    found = ogg_parts(Window(io.BytesIO(content)))
    assert len(found) == len(faults)
    for part, fault in zip(found, faults, strict=True):
        assert (part.fault or "").endswith(fault or "")
        assert bool(part.fault) == bool(fault)
    assert sum(part.size for part in found) == len(content)
