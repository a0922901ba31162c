"""The streams that a command prints to, set so that printing never fails on a name."""

import codecs
import io
import sys
from typing import Any

_HANDLER = "audiosurvey"


def set_up_streams() -> None:
    """Write UTF-8 to stdout and stderr where they are redirected, whatever the system's encoding is.

    A terminal keeps its encoding, and letters that it lacks become escapes. Bytes of file names that are not valid
    UTF-8 come out as they are.
    """
    codecs.register_error(_HANDLER, _written)
    for stream in (sys.stdout, sys.stderr):
        if not isinstance(stream, io.TextIOWrapper):
            continue
        if stream.isatty():
            stream.reconfigure(errors="backslashreplace")
        else:
            stream.reconfigure(encoding="utf-8", errors=_HANDLER)


def _written(error: Any) -> tuple[str | bytes, int]:
    """Characters that UTF-8 cannot hold: a byte of a file name as itself, others as escapes."""
    assert isinstance(error, UnicodeEncodeError)
    bad = error.object[error.start : error.end]
    parts = [bytes([ord(c) - 0xDC00]) if 0xDC80 <= ord(c) <= 0xDCFF else f"\\u{ord(c):04x}".encode() for c in bad]
    return b"".join(parts), error.end
