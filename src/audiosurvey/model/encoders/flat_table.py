"""Tables of FlatBuffers, the format of LiteRT files: only as much as is needed to read what a model is made of."""

import struct
from typing import NamedTuple


class FlatTable(NamedTuple):
    """A table in the content of a file. Fields have the numbers of the schema, counted from 0.

    Reading a damaged file raises struct.error, IndexError or UnicodeDecodeError.
    """

    content: bytes
    place: int

    @classmethod
    def root(cls, content: bytes) -> "FlatTable":
        return cls(content, _number(content, "<I", 0))

    def number(self, field: int, form: str, default: int = 0) -> int:
        """A number of the format `form` of the module `struct`."""
        at = self._at(field)
        return default if at is None else _number(self.content, form, at)

    def table(self, field: int) -> "FlatTable | None":
        at = self._at(field)
        return None if at is None else FlatTable(self.content, self._follow(at))

    def tables(self, field: int) -> list["FlatTable"]:
        start, count = self.vector(field)
        return [FlatTable(self.content, self._follow(start + 4 * item)) for item in range(count)]

    def numbers(self, field: int) -> list[int]:
        """A vector of 32-bit integers."""
        start, count = self.vector(field)
        return list(struct.unpack_from(f"<{count}i", self.content, start))

    def text(self, field: int) -> str:
        start, count = self.vector(field)
        return self.content[start : start + count].decode("utf-8")

    def vector(self, field: int) -> tuple[int, int]:
        """Where the items of a vector begin, and how many there are; 0 and 0 where it is left out."""
        at = self._at(field)
        if at is None:
            return 0, 0
        start = self._follow(at)
        count = _number(self.content, "<I", start)
        if count > len(self.content):
            raise IndexError("a vector is longer than the file")
        return start + 4, count

    def _at(self, field: int) -> int | None:
        """The position of a field; None where it is left out."""
        layout = self.place - _number(self.content, "<i", self.place)
        size = _number(self.content, "<H", layout)
        slot = 4 + 2 * field
        offset = _number(self.content, "<H", layout + slot) if slot < size else 0
        return self.place + offset if offset else None

    def _follow(self, at: int) -> int:
        return at + _number(self.content, "<I", at)


def _number(content: bytes, form: str, at: int) -> int:
    if at < 0:
        raise IndexError("a position before the file")
    return struct.unpack_from(form, content, at)[0]
