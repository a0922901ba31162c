"""`predict MODEL --mic`: what a microphone hears, as a source like any other. Needs the extra `mic`.

The sound card's thread puts its blocks into a queue; what does not fit, because the model is slower than the sound, is
lost and counted.
"""

import contextlib
import importlib
import queue
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from audiosurvey.data.audio import Mono
from audiosurvey.data.resampling import converted
from audiosurvey.errors import UserError

_QUEUED = 600
"""Blocks that may wait: a minute."""
_BLOCK_S = 0.1


class Microphone:
    """The system's default input, in mono, at its own rate, until the program is interrupted."""

    name = "microphone"
    live = True

    def __init__(self) -> None:
        """Raises UserError where there is no sounddevice, no PortAudio, or no input."""
        self._sounddevice = _sounddevice()
        self.lost = 0
        """Blocks that came too fast."""
        self._stop = False
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
        waiting: queue.Queue[np.ndarray] = queue.Queue(_QUEUED)

        def take(block_SC: np.ndarray, frames: int, time: Any, status: Any) -> None:
            self.lost += bool(status)
            try:
                waiting.put_nowait(block_SC.copy())
            except queue.Full:
                self.lost += 1

        try:
            stream = self._sounddevice.InputStream(
                samplerate=self.rate,
                channels=1,
                dtype="float32",
                blocksize=round(_BLOCK_S * self.rate),
                callback=take,
            )
            with stream, self._stopped_by_interrupt():
                while not self._stop:
                    # A limit, so that Ctrl-C is seen where the microphone gives nothing.
                    with contextlib.suppress(queue.Empty):
                        yield waiting.get(timeout=1)
        except (self._sounddevice.PortAudioError, OSError) as error:
            raise UserError(f"--mic: the microphone cannot be opened ({_one_line(error)})") from None

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
