"""The part of a survey's cells that one task of a job array trains."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from audiosurvey.errors import ArgumentError

AnyCell = TypeVar("AnyCell")


@dataclass(frozen=True)
class Shard:
    """Every `of`-th cell, beginning with number `index` (from 1)."""

    index: int = 1
    of: int = 1

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """`3/20`. Raises UserError."""
        first, _, second = text.partition("/")
        if first.isdecimal() and second.isdecimal() and 1 <= int(first) <= int(second):
            return cls(int(first), int(second))
        raise ArgumentError("{shard}: expected I/N with I from 1 to N, such as 3/20", shard=text)

    def of_cells(self, cells: Sequence[AnyCell]) -> list[AnyCell]:
        return list(cells[self.index - 1 :: self.of])
