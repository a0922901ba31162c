"""Peak memory of one call, on Linux with glibc."""

import ctypes
import gc
import sys
from collections.abc import Callable
from pathlib import Path

_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")


def extra_megabytes(call: Callable[[], object]) -> float | None:
    """How much memory the process takes at most during the call, on top of what it held before; None where the system
    does not say. Memory of other processes, such as workers, is not counted."""
    if sys.platform != "linux":
        return None
    gc.collect()
    try:
        # Memory that earlier calls have freed goes back to the system; otherwise this call would take it for nothing.
        ctypes.CDLL(None).malloc_trim(0)
        _RESET.write_text("5")  # the peak so far is forgotten
    except (AttributeError, OSError):
        return None
    before = _kilobytes("VmRSS")
    call()
    return max(0, _kilobytes("VmHWM") - before) / 1024


def _kilobytes(name: str) -> int:
    (line,) = (line for line in _STATUS.read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1])
