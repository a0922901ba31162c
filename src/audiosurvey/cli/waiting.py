"""How long threads spin while they wait for each other."""

from collections.abc import MutableMapping

_OURS = {"GOMP_SPINCOUNT": "1000", "KMP_BLOCKTIME": "0"}
"""For GNU's OpenMP (torch's wheels for Linux): rounds of a loop, some microseconds instead of milliseconds. For Intel's
and LLVM's: milliseconds."""
_THEIRS = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "KMP_LIBRARY")


def wait_without_spinning(environment: MutableMapping[str, str]) -> None:
    """Lets the threads of OpenMP sleep after a moment of waiting, unless the user has chosen how they wait.

    Threads that spin take the processors from other programs, and from the thread that they wait for. OpenMP reads
    these variables when torch is loaded. Results do not change.
    """
    if not any(name in environment for name in _THEIRS):
        environment.update(_OURS)
