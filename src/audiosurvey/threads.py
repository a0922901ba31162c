"""Torch's threads within a process: work too small for several takes one."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Small products gain little from threads, and lose much where cores are busy; and their number then changes no
    bit of what is computed."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
