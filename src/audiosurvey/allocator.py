"""Memory allocation on the CPU: what glibc does with memory that the process frees."""

import ctypes
import os
import sys

# Of mallopt(3).
_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8


def keep_freed_memory() -> bool:
    """Makes glibc keep freed memory for later allocations. Returns whether it did.

    By default, glibc maps and unmaps large blocks, so that the pages of all activations are faulted in again at every
    step: up to a third of the time of a large network (`benchmarks/allocator.py`). Kept memory is not returned before
    the process ends. Does nothing without glibc, or if the environment configures malloc.
    """
    return _set({_M_MMAP_MAX: 0, _M_TRIM_THRESHOLD: -1})


def share_freed_memory() -> bool:
    """Makes all threads allocate from one heap. Returns whether it did.

    By default, glibc has up to eight heaps for each processor, and memory that one thread frees is not used by the
    threads with other heaps. A server with many threads then grows for minutes, up to the sum of what each thread once
    needed (`benchmarks/serving.py`). Call this before the threads start. Does nothing without glibc, or if the
    environment configures malloc.
    """
    return _set({_M_ARENA_MAX: 1})


def _set(values: dict[int, int]) -> bool:
    """Sets parameters of glibc's malloc, unless the user has set some."""
    chosen = any(name.startswith("MALLOC_") for name in os.environ)
    if sys.platform != "linux" or chosen or "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return False
    return all(mallopt(parameter, value) for parameter, value in values.items())
