"""Work done ahead in threads, with results in order: for decoding, hashing and filling batches.

Threads suffice, since libsndfile, soxr and hashing release the GIL. At most `ahead` results are waiting.
"""

import contextlib
import itertools
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar, cast

Item = TypeVar("Item")
Result = TypeVar("Result")
ProgressCallback = Callable[[int, int | None], None]
"""Called with what is done and the total, such as bytes or clips; None where the total is unknown."""


def cpu_count() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_order(
    function: Callable[[Item], Result], items: Iterable[Item], *, workers: int, ahead: int
) -> Generator[Result, None, None]:
    """`function` of each item, in the order of the items, computed by `workers` threads (0: in this one).

    An exception in a thread is raised here, at its item. The threads end when the iterator is exhausted or closed.
    """
    if workers <= 0:
        yield from map(function, items)
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix="audiosurvey-reader")
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= max(ahead, workers):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def ahead(items: Iterable[Item], depth: int) -> Generator[Item, None, None]:
    """The items, computed `depth` ahead by a separate thread (0: in this one).

    The thread ends when the iterator is exhausted or closed.
    """
    iterator, end = iter(items), object()
    computed = in_order(lambda _: next(iterator, end), itertools.repeat(None), workers=min(1, depth), ahead=depth)
    with contextlib.closing(computed):
        for item in computed:
            if item is end:
                return
            yield cast(Item, item)
