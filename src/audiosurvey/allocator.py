"""Memory allocation on the CPU: freed memory is kept by the process."""

import ctypes
import os
import sys

# Of mallopt(3).
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4


def keep_freed_memory() -> bool:
    """Makes glibc keep freed memory for later allocations. Returns whether it did.

    By default, glibc maps and unmaps large blocks, so that the pages of all activations are faulted in again at every
    step: up to a third of the time of a large network (`benchmarks/allocator.py`). Kept memory is not returned before
    the process ends. Does nothing without glibc, or if the environment configures malloc.
    """
    chosen = any(name.startswith("MALLOC_") for name in os.environ)
    if sys.platform != "linux" or chosen or "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return False
    return bool(mallopt(_M_MMAP_MAX, 0)) and bool(mallopt(_M_TRIM_THRESHOLD, -1))
