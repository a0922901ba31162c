"""Whether an ONNX file loads weights from other files, which may be any files of the computer.

Files written by `export` contain all weights, so that such references are refused before a runtime follows them. The
file is parsed as protobuf without reading tensor data. Field numbers are those of onnx.proto.
"""

import mmap
from collections.abc import Iterator
from pathlib import Path

_FIELDS: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
"""For each kind of message: the fields that can lead to a tensor, and the kind of message in them."""
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_MOST_NESTED = 64


def has_external_data(path: Path) -> bool:
    """Whether any tensor of the model is stored outside the file. Raises ValueError if it is not an ONNX file."""
    with path.open("rb") as file:
        try:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:
            raise ValueError("the file is empty") from None
        with data:
            return _found(data, "model", 0, len(data), 0)


def content_is_external(content: bytes) -> bool:
    """As `has_external_data`, for the content of a file."""
    return _found(content, "model", 0, len(content), 0)


def _found(data: mmap.mmap | bytes, kind: str, begin: int, end: int, depth: int) -> bool:
    if depth > _MOST_NESTED:
        raise ValueError("nested too deeply")
    if kind == "tensor":
        return any(
            number == _EXTERNAL_DATA or (number == _DATA_LOCATION and start > 0)
            for number, start, _ in _fields(data, begin, end)
        )
    inner = _FIELDS[kind]
    return any(
        _found(data, inner[number], start, stop, depth + 1)
        for number, start, stop in _fields(data, begin, end)
        if number in inner and stop >= 0
    )


def _fields(data: mmap.mmap | bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Number, start and end of each field; for an integer its value and -1."""
    while at < end:
        tag, at = _varint(data, at, end)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, at = _varint(data, at, end)
            yield number, value, -1
            continue
        if wire == _LENGTH:
            size, at = _varint(data, at, end)
        elif wire in (_FIXED32, _FIXED64):
            size = 4 if wire == _FIXED32 else 8
        else:
            raise ValueError("not protobuf")
        if number == 0 or at + size > end:
            raise ValueError("truncated, or not protobuf")
        if wire == _LENGTH:
            yield number, at, at + size
        at += size


def _varint(data: mmap.mmap | bytes, at: int, end: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= end:
            raise ValueError("truncated, or not protobuf")
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise ValueError("not protobuf")
