"""The microphone as a sound source. Needs the extra `mic`.

The thread of the sound card puts blocks into a queue. Blocks that do not fit, because the model is slower than the
sound, and blocks dropped by the card are lost. The gap is filled with silence, so that later times stay right.
"""

import contextlib
import importlib
import logging
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from audiosurvey.data.audio.decoding import Mono
from audiosurvey.data.audio.resampling import converted
from audiosurvey.errors import UserError

_QUEUED = 600
"""Blocks in the queue: a minute."""
_BLOCK_S = 0.1


def _to_log(line: str) -> None:
    logging.getLogger(__name__).info("%s", line)


class Microphone:
    """The default input of the system, mono, at its own rate, until Ctrl-C."""

    name = "microphone"
    live = True

    def __init__(self, say: Callable[[str], None] = _to_log) -> None:
        """`say` receives a line for each gap. Raises UserError without sounddevice, PortAudio or an input."""
        self._sounddevice = _import_sounddevice()
        self.lost = 0
        """Lost samples, at `rate`."""
        self._stop = False
        self._say = say
        try:
            self.rate = round(float(self._sounddevice.query_devices(kind="input")["default_samplerate"]))
        except (self._sounddevice.PortAudioError, ValueError, OSError) as error:
            raise UserError(f"microphone: none found ({_one_line(error)})") from None

    def blocks(self, sample_rate: int, mono: Mono) -> Iterator[np.ndarray]:
        """Blocks of a tenth of a second as they are recorded, at `sample_rate`."""
        return converted(self._recorded(), self.rate, sample_rate=sample_rate, mono=mono)

    def length(self, sample_rate: int) -> int:
        raise ValueError("a microphone has no end")

    def _recorded(self) -> Iterator[np.ndarray]:
        waiting: queue.Queue[tuple[int, np.ndarray]] = queue.Queue(_QUEUED)
        clock = _SampleClock(self.rate)

        def callback(block_SC: np.ndarray, frames: int, time: Any, status: Any) -> None:
            begin = clock.begin(frames, time, overflow=bool(status))
            # A block that does not fit becomes a gap before the next one.
            with contextlib.suppress(queue.Full):
                waiting.put_nowait((begin, block_SC.copy()))

        try:
            stream = self._sounddevice.InputStream(
                samplerate=self.rate,
                channels=1,
                dtype="float32",
                blocksize=round(_BLOCK_S * self.rate),
                callback=callback,
            )
            with stream, self._stopped_by_interrupt():
                given = 0
                while not self._stop:
                    # With a timeout, so that Ctrl-C works if the microphone delivers nothing.
                    with contextlib.suppress(queue.Empty):
                        begin, block_SC = waiting.get(timeout=1)
                        if begin > given:
                            yield from self._silence(given, begin)
                        yield block_SC
                        given = begin + len(block_SC)
        except (self._sounddevice.PortAudioError, OSError) as error:
            raise UserError(f"microphone: cannot be opened ({_one_line(error)})") from None

    def _silence(self, given: int, begin: int) -> Iterator[np.ndarray]:
        """Report a gap and fill it."""
        missing = begin - given
        self.lost += missing
        at_s = given / self.rate
        self._say(f"microphone: {missing / self.rate:.2f} s of sound lost at {at_s:.1f} s; replaced by silence")
        size = round(_BLOCK_S * self.rate)
        for at in range(0, missing, size):
            yield np.zeros((min(size, missing - at), 1), np.float32)

    @contextmanager
    def _stopped_by_interrupt(self) -> Iterator[None]:
        """The first Ctrl-C ends the sound, so that what was recorded is still scored; the second ends the program."""
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


class _SampleClock:
    """The position of each block in samples since the first one, including lost samples."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._next = 0
        self._first_s: float | None = None

    def begin(self, frames: int, time: Any, *, overflow: bool) -> int:
        """`time`: PortAudio's; its `inputBufferAdcTime` is the time of the first sample of the block in seconds;
        `overflow`: samples were lost before this block by the card or its driver."""
        recorded_s = float(getattr(time, "inputBufferAdcTime", 0.0) or 0.0)
        if self._first_s is None and recorded_s > 0:
            self._first_s = recorded_s - self._next / self._rate
        begin = self._next
        if overflow:
            # Without a clock in the driver, assume the smallest possible loss.
            known = recorded_s > 0 and self._first_s is not None
            at = round((recorded_s - (self._first_s or 0.0)) * self._rate) if known else begin + frames
            begin = max(begin, at)
        self._next = begin + frames
        return begin


def _import_sounddevice() -> Any:
    try:
        return importlib.import_module("sounddevice")
    except ImportError:
        raise UserError("microphone: sounddevice is not installed; pip install 'audiosurvey[mic]'") from None
    except OSError:
        hint = "install it, on Debian with: apt install libportaudio2"
        raise UserError(f"microphone: the PortAudio library is missing; {hint}") from None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")
