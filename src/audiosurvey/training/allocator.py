"""The processor's memory between training steps: kept by the process, not given back and fetched anew."""

import ctypes
import os
import sys

# Of mallopt(3).
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4


def keep_freed_memory() -> bool:
    """From now on what this process frees stays its own, for what it allocates next. True where it could be set.

    glibc maps each large block from the kernel and unmaps it when it is freed. A training step allocates and frees
    all its activations, so the kernel clears and faults in every page of them anew at each step: up to a third of the
    time of a large network (`benchmarks/allocator.py`). What is kept is held to the end of the process.

    Linux with glibc alone; elsewhere, and where the environment has settings for malloc, nothing is changed.
    """
    chosen = any(name.startswith("MALLOC_") for name in os.environ)
    if sys.platform != "linux" or chosen or "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return False
    return bool(mallopt(_M_MMAP_MAX, 0)) and bool(mallopt(_M_TRIM_THRESHOLD, -1))
