"""Tells plain files from named pipes, devices and sockets before they are opened.

Opening a named pipe waits for a writer, and a device such as /dev/zero never ends. Links are followed.
"""

import os
import stat
from pathlib import Path

_KINDS = (
    (stat.S_ISFIFO, "named pipe"),
    (stat.S_ISCHR, "device"),
    (stat.S_ISBLK, "device"),
    (stat.S_ISSOCK, "socket"),
)


def not_plain(path: str | Path) -> str | None:
    """Why a path must not be opened: `not a plain file (named pipe)`; None for files, folders and missing paths."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116  (a name may hold bytes that are not valid text)
    except (OSError, ValueError):
        return None
    return next((f"not a plain file ({kind})" for is_kind, kind in _KINDS if is_kind(mode)), None)
