"""The streams that a command prints to, set so that printing never fails on a name."""

import atexit
import codecs
import io
import os
import re
import sys
import threading
from typing import Any

_HANDLER = "audiosurvey"
_DECODER_NOTE = re.compile(
    rb"\[?src/libmpg123/|Warning: Xing stream size"
    rb"|Note: (Illegal Audio-MPEG|Trying to resync|Skipped \d+ bytes|Hit end of)"
)
"""What libmpg123, the MP3 decoder of libsndfile, writes to stderr by itself. Faults of files are reported by us."""


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


def drop_decoder_notes() -> None:
    """Keeps the notes of the MP3 decoder off the terminal, where they would tear progress bars apart.

    Native code writes to file descriptor 2, which becomes a pipe: a thread passes on all other lines. `sys.stderr`
    itself keeps writing to where it did.
    """
    if os.name != "posix" or sys.stderr is not sys.__stderr__ or not isinstance(sys.stderr, io.TextIOWrapper):
        return
    if sys.stderr.fileno() != 2:
        return
    sys.stderr.flush()
    kept, (read_end, write_end) = os.dup(2), os.pipe()
    os.dup2(write_end, 2)
    os.close(write_end)
    unbuffered = io.FileIO(kept, "w", closefd=False)
    sys.stderr = io.TextIOWrapper(
        io.BufferedWriter(unbuffered), sys.stderr.encoding, sys.stderr.errors, line_buffering=True
    )
    reader = threading.Thread(target=_pass_on, args=(read_end, kept), daemon=True)
    reader.start()

    def stop() -> None:
        os.dup2(kept, 2)
        reader.join(timeout=1)

    atexit.register(stop)


def _pass_on(read_end: int, kept: int) -> None:
    with open(read_end, "rb") as lines:
        for line in lines:
            if not _DECODER_NOTE.match(line):
                os.write(kept, line)
