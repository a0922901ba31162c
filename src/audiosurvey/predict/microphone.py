"""`predict MODEL --mic`: what a microphone hears, as a source like any other. Needs the extra `mic`.

The sound card's thread puts its blocks into a queue. What does not fit, because the model is slower than the sound, and
what the card itself dropped is lost. The gap is told on stderr and filled with silence, so that later times stay right.
"""

import contextlib
import importlib
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from audiosurvey.data.audio.decoding import Mono
from audiosurvey.data.audio.resampling import converted
from audiosurvey.errors import UserError

_QUEUED = 600
"""Blocks that may wait: a minute."""
_BLOCK_S = 0.1


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr)


class Microphone:
    """The system's default input, in mono, at its own rate, until the program is interrupted."""

    name = "microphone"
    live = True

    def __init__(self, say: Callable[[str], None] = _to_stderr) -> None:
        """`say` is told of lost sound. Raises UserError where there is no sounddevice, no PortAudio, or no input."""
        self._sounddevice = _sounddevice()
        self.lost = 0
        """Samples that were lost, at `rate`."""
        self._stop = False
        self._say = say
        try:
            self.rate = round(float(self._sounddevice.query_devices(kind="input")["default_samplerate"]))
        except (self._sounddevice.PortAudioError, ValueError, OSError) as error:
            raise UserError(f"--mic: no microphone found ({_one_line(error)})") from None

    def blocks(self, sample_rate: int, mono: Mono) -> Iterator[np.ndarray]:
        """Blocks of a tenth of a second as they are heard, at `sample_rate`."""
        return converted(self._heard(), self.rate, sample_rate=sample_rate, mono=mono)

    def length(self, sample_rate: int) -> int:
        raise ValueError("a microphone has no end")

    def _heard(self) -> Iterator[np.ndarray]:
        waiting: queue.Queue[tuple[int, np.ndarray]] = queue.Queue(_QUEUED)
        clock = _Clock(self.rate)

        def take(block_SC: np.ndarray, frames: int, time: Any, status: Any) -> None:
            begin = clock.begin(frames, time, overflow=bool(status))
            # What does not fit is a gap before the next block.
            with contextlib.suppress(queue.Full):
                waiting.put_nowait((begin, block_SC.copy()))

        try:
            stream = self._sounddevice.InputStream(
                samplerate=self.rate,
                channels=1,
                dtype="float32",
                blocksize=round(_BLOCK_S * self.rate),
                callback=take,
            )
            with stream, self._stopped_by_interrupt():
                given = 0
                while not self._stop:
                    # A limit, so that Ctrl-C is seen where the microphone gives nothing.
                    with contextlib.suppress(queue.Empty):
                        begin, block_SC = waiting.get(timeout=1)
                        if begin > given:
                            yield from self._silence(given, begin)
                        yield block_SC
                        given = begin + len(block_SC)
        except (self._sounddevice.PortAudioError, OSError) as error:
            raise UserError(f"--mic: the microphone cannot be opened ({_one_line(error)})") from None

    def _silence(self, given: int, begin: int) -> Iterator[np.ndarray]:
        """Tells of a gap, and fills it."""
        missing = begin - given
        self.lost += missing
        self._say(
            f"--mic: {missing / self.rate:.2f} s of sound lost at {given / self.rate:.1f} s; silence takes its place"
        )
        size = round(_BLOCK_S * self.rate)
        for at in range(0, missing, size):
            yield np.zeros((min(size, missing - at), 1), np.float32)

    @contextmanager
    def _stopped_by_interrupt(self) -> Iterator[None]:
        """The first Ctrl-C ends the sound, so that what was heard is still answered; the second ends the program."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.getsignal(signal.SIGINT)

        def stop(*_: object) -> None:
            self._stop = True
            signal.signal(signal.SIGINT, before)

        signal.signal(signal.SIGINT, stop)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)


class _Clock:
    """At which sample each block begins, counted from the first one, what was lost before it included."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._next = 0
        self._first_s: float | None = None

    def begin(self, frames: int, time: Any, *, overflow: bool) -> int:
        """`time`: PortAudio's, whose `inputBufferAdcTime` is when the first sample of the block was heard (seconds);
        `overflow`: something was lost before this block, by the card or its driver."""
        heard_s = float(getattr(time, "inputBufferAdcTime", 0.0) or 0.0)
        if self._first_s is None and heard_s > 0:
            self._first_s = heard_s - self._next / self._rate
        begin = self._next
        if overflow:
            # Where the driver has no clock, the least that can have been lost is taken.
            known = heard_s > 0 and self._first_s is not None
            at = round((heard_s - (self._first_s or 0.0)) * self._rate) if known else begin + frames
            begin = max(begin, at)
        self._next = begin + frames
        return begin


def _sounddevice() -> Any:
    try:
        return importlib.import_module("sounddevice")
    except ImportError:
        raise UserError("--mic: sounddevice is not installed; pip install 'audiosurvey[mic]'") from None
    except OSError:
        mend = "install it, on Debian with: apt install libportaudio2"
        raise UserError(f"--mic: the PortAudio library is missing; {mend}") from None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")
