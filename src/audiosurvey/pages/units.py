"""Durations and sizes in words."""


def size(count: int) -> str:
    """Bytes: `2.3 MB`."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count / 1e3:.0f} kB"


def duration(seconds: float) -> str:
    """`0.8 s`, `34 s`, `2.5 min`, `12 h`: the one rounding of durations, wherever they are shown."""
    for unit, scale, below in (("s", 1, 90), ("min", 60, 5400)):
        if seconds < below:
            return f"{_rounded(seconds / scale)} {unit}"
    return f"{_rounded(seconds / 3600)} h"


def _rounded(value: float) -> str:
    """One decimal below 10, where it is not 0. Something is never nothing: at least 0.1."""
    if value >= 9.95:
        return f"{value:.0f}"
    return f"{max(value, 0.1) if value else 0:.1f}".removesuffix(".0")
