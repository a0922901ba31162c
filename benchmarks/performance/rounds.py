"""Ways to do the same, measured in turns within one run, so that changes of the machine's speed affect all of them."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from memory import extra_megabytes


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
    memory_mb: float | None = None
    """Peak memory of our way, on top of what the process held before."""
    other_memory_mb: float | None = None
    beside_busy: str = ""
    """The ratio while another process keeps a core busy."""

    @property
    def ratio_text(self) -> str:
        if self.ratio is None:
            return ""
        return f"{self.ratio:.2f}" if self.low is None else f"{self.ratio:.2f} ({self.low:.2f} to {self.high:.2f})"

    @property
    def memory_text(self) -> str:
        known = [f"{value:.0f} MB" for value in (self.memory_mb, self.other_memory_mb) if value is not None]
        return " / ".join(known) if len(known) == 2 else ""


class Seconds(list[float]):
    """Seconds of one way in each round, and the memory that one call takes."""

    memory_mb: float | None = None


def alternate(
    ways: Mapping[str, Callable[[], object]],
    rounds: int = 7,
    clock: Callable[[], float] = time.perf_counter,
    memory: bool = True,
) -> dict[str, Seconds]:
    """Seconds of each way in each round, after one round that does not count. `memory`: measure that too, in one more
    call of each; it does not see what other processes take."""
    taken = {name: Seconds() for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            begin = clock()
            way()
            if number:
                taken[name].append(clock() - begin)
    for name, way in ways.items() if memory else ():
        taken[name].memory_mb = extra_megabytes(way)
    return taken


def compared(what: str, taken: Mapping[str, Seconds], *, items: int = 1, unit: str = "ms") -> list[Row]:
    """A row for each peer of the first way. `items`: of the work that is timed, such as clips."""
    (_, ours), *peers = taken.items()
    scale = {"ms": 1e3, "s": 1.0}[unit] / items
    rows = []
    for peer, other in peers:
        ratios = [slow / fast for slow, fast in zip(other, ours, strict=True)]
        texts = [f"{statistics.median(seconds) * scale:.3g} {unit}" for seconds in (ours, other)]
        spread = statistics.median(ratios), min(ratios), max(ratios)
        rows.append(Row(what, texts[0], peer, texts[1], *spread, ours.memory_mb, other.memory_mb))
    return rows
