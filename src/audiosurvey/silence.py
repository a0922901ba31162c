"""Blocks in which libraries print nothing: runtimes and exporters that report what they use."""

import io
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path


@contextmanager
def without_output() -> Iterator[None]:
    """Nothing is written to stdout and stderr in the block, by native code either."""
    sys.stdout.flush()
    sys.stderr.flush()
    with Path(os.devnull).open("wb") as nothing, ExitStack() as undone:
        for stream in (1, 2):
            kept = os.dup(stream)
            undone.callback(os.close, kept)
            undone.callback(os.dup2, kept, stream)
            os.dup2(nothing.fileno(), stream)
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            yield


@contextmanager
def silenced() -> Iterator[None]:
    """Suppress warnings and log messages of torch and the exporters: about torchvision, deprecations, damaged files."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
