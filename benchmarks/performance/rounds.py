"""Ways to do the same, measured in turns within one run, so that changes of the machine's speed affect all of them."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One comparison: the median of each way, and their ratio with its range over the rounds."""

    what: str
    ours: str
    peer: str
    other: str
    ratio: float | None = None
    """How many times as long the peer takes."""
    low: float | None = None
    high: float | None = None

    @property
    def ratio_text(self) -> str:
        if self.ratio is None:
            return ""
        return f"{self.ratio:.2f}" if self.low is None else f"{self.ratio:.2f} ({self.low:.2f} to {self.high:.2f})"


def alternate(
    ways: Mapping[str, Callable[[], object]], rounds: int = 7, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Seconds of each way in each round, after one round that does not count."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            begin = clock()
            way()
            if number:
                taken[name].append(clock() - begin)
    return taken


def compared(what: str, taken: Mapping[str, list[float]], *, items: int = 1, unit: str = "ms") -> list[Row]:
    """A row for each peer of the first way. `items`: of the work that is timed, such as clips."""
    (_, ours), *peers = taken.items()
    scale = {"ms": 1e3, "s": 1.0}[unit] / items
    rows = []
    for peer, other in peers:
        ratios = [slow / fast for slow, fast in zip(other, ours, strict=True)]
        texts = [f"{statistics.median(seconds) * scale:.3g} {unit}" for seconds in (ours, other)]
        rows.append(Row(what, texts[0], peer, texts[1], statistics.median(ratios), min(ratios), max(ratios)))
    return rows
