"""What stands on the command line of a prediction, as sources that are open: files, standard input, a microphone."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from audiosurvey.errors import UserError
from audiosurvey.predict.microphone import Microphone
from audiosurvey.predict.pcm import PcmFormat
from audiosurvey.predict.sources import Source, find_sources
from audiosurvey.predict.stdin import NAME, open_stdin

MICROPHONE = "--mic"


@contextmanager
def opened_sources(words: Sequence[str], pcm: PcmFormat | None, *, whole: bool) -> Iterator[Sequence[Source]]:
    """`words`: paths and patterns, `-` alone, or `--mic` alone; `pcm`: how raw samples on standard input are written;
    `whole`: each sound gets one answer. Raises UserError for what is not there."""
    if NAME not in words and pcm is not None:
        raise UserError("--rate, --channels, --encoding: are of raw samples on stdin; leave them out, or give -")
    if list(words) == [MICROPHONE]:
        if whole:
            raise UserError("--whole: a microphone has no end; leave it out")
        yield [Microphone()]
    elif list(words) == [NAME]:
        with open_stdin(sys.stdin.buffer, pcm, whole=whole) as source:
            yield [source]
    else:
        yield find_sources(words)
