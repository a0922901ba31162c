"""Child processes that leave Ctrl-C to their parent, and end with it."""

import os
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

PATIENCE = 10.0
"""Seconds that a process has to end."""


@contextmanager
def ignoring_interrupts() -> Iterator[None]:
    """Processes started in the block ignore Ctrl-C, which reaches every process of a terminal; their parent handles
    it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def end_with_parent(alive: Connection) -> None:
    """Called in a child: it ignores Ctrl-C, and ends when `alive` is closed, whose other end only its parent holds."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # not inherited on every system
    threading.Thread(target=_wait_for_end, args=(alive,), daemon=True).start()


def end(processes: Iterable[BaseProcess]) -> None:
    """Waits for processes that were asked to end; those that do not are killed."""
    for process in processes:
        process.join(PATIENCE)
        if process.exitcode is None:
            process.kill()
            process.join()


def _wait_for_end(alive: Connection) -> None:
    try:
        alive.recv()
    except (EOFError, OSError):
        os._exit(1)
