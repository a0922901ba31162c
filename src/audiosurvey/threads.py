"""Torch's threads within a process: work too small for several takes one, folds side by side take a share each."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import torch


@contextmanager
def threads(number: int) -> Iterator[None]:
    """So many within the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def one_thread() -> AbstractContextManager[None]:
    """Small products gain little from threads, and lose much where cores are busy; and their number then changes no
    bit of what is computed."""
    return threads(1)
