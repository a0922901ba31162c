"""The microphone, played by a stand-in for sounddevice: what it hears, and one line for what is missing."""

import signal
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from audiosurvey.errors import UserError
from audiosurvey.prediction.microphone import Microphone


class PortAudioError(Exception):
    pass


class Stream:
    """Gives all its blocks at once as it is opened, then Ctrl-C."""

    heard: np.ndarray
    made_with: dict[str, Any]
    overflow_at: int | None = None
    gap_s = 0.0
    """What is lost before the block `overflow_at`."""
    has_clock = True
    opened: "Stream"

    def __init__(self, callback: Callable[..., None], **made_with: Any) -> None:
        Stream.made_with = made_with
        self.callback = callback
        Stream.opened = self

    def __enter__(self) -> "Stream":
        for number in range(len(self.heard) // self.made_with["blocksize"]):
            self.give(number)
        return self

    def give(self, number: int) -> None:
        size = self.made_with["blocksize"]
        block = self.heard[number * size : (number + 1) * size, None].copy()
        late_s = self.gap_s if self.overflow_at is not None and number >= self.overflow_at else 0.0
        heard_s = 1000 + number * size / 16000 + late_s if self.has_clock else 0.0
        time = SimpleNamespace(inputBufferAdcTime=heard_s)
        self.callback(block, len(block), time, number == self.overflow_at)
        block[:] = 99  # the card uses its buffer again

    def __exit__(self, *error: object) -> None:
        pass


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> type[Stream]:
    devices = SimpleNamespace(
        PortAudioError=PortAudioError,
        InputStream=Stream,
        query_devices=lambda kind: {"default_samplerate": 16000.0},
    )
    monkeypatch.setitem(sys.modules, "sounddevice", devices)
    monkeypatch.setattr(Stream, "heard", np.sin(np.arange(16000) / 10).astype(np.float32), raising=False)
    monkeypatch.setattr(Stream, "overflow_at", None)
    return Stream


def test_it_gives_what_it_hears_block_by_block(card: type[Stream]):
    microphone = Microphone()
    blocks = microphone.blocks(16000, "mean")
    heard = np.concatenate([next(blocks) for _ in range(10)])
    np.testing.assert_array_equal(heard, card.heard)
    assert card.made_with["channels"] == 1
    assert card.made_with["blocksize"] == 1600
    assert microphone.lost == 0
    assert microphone.live
    blocks.close()  # pyright: ignore[reportAttributeAccessIssue]


def until_interrupted(microphone: Microphone, sample_rate: int, num_samples: int) -> int:
    """Samples heard in all, where Ctrl-C comes after so many."""
    heard, pressed = 0, False
    for block_S in microphone.blocks(sample_rate, "mean"):
        heard += len(block_S)
        if heard >= num_samples and not pressed:
            signal.raise_signal(signal.SIGINT)
            pressed = True
    return heard


def test_it_is_resampled_to_the_model(card: type[Stream]):
    # The resampler holds a little back, so that the last of ten blocks comes out when the sound ends.
    assert until_interrupted(Microphone(), 8000, 7000) == 8000


def test_the_first_interrupt_ends_the_sound_and_keeps_it(card: type[Stream]):
    before = signal.getsignal(signal.SIGINT)
    assert 4000 <= until_interrupted(Microphone(), 8000, 4000) <= 5600
    assert signal.getsignal(signal.SIGINT) is before


def test_lost_sound_is_told_and_the_clock_goes_on(card: type[Stream], monkeypatch: pytest.MonkeyPatch):
    """The card loses half a second before its fourth block: what follows keeps its time."""
    monkeypatch.setattr(card, "overflow_at", 3)
    monkeypatch.setattr(card, "gap_s", 0.5)
    said: list[str] = []
    microphone = Microphone(said.append)
    blocks = microphone.blocks(16000, "mean")
    heard = np.concatenate([next(blocks) for _ in range(15)])
    np.testing.assert_array_equal(heard[:4800], card.heard[:4800])
    np.testing.assert_array_equal(heard[4800:12800], 0)
    np.testing.assert_array_equal(heard[12800:], card.heard[4800:])
    assert microphone.lost == 8000
    assert said == ["microphone: 0.50 s of sound lost at 0.3 s; replaced by silence"]
    blocks.close()  # pyright: ignore[reportAttributeAccessIssue]


def test_a_card_without_a_clock_loses_a_block_at_least(card: type[Stream], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(card, "overflow_at", 1)
    monkeypatch.setattr(card, "has_clock", False)
    microphone = Microphone(lambda line: None)
    blocks = microphone.blocks(16000, "mean")
    heard = np.concatenate([next(blocks) for _ in range(11)])
    np.testing.assert_array_equal(heard[3200:], card.heard[1600:])
    assert microphone.lost == 1600
    blocks.close()  # pyright: ignore[reportAttributeAccessIssue]


def test_what_the_queue_had_no_room_for_is_a_gap_too(
    card: type[Stream], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    caplog.set_level("INFO", "audiosurvey")
    monkeypatch.setattr("audiosurvey.prediction.microphone._QUEUED", 4)
    microphone = Microphone()
    blocks = microphone.blocks(16000, "mean")
    heard = [next(blocks) for _ in range(4)]
    stream = card.opened
    stream.give(7)
    heard += [next(blocks) for _ in range(4)]
    np.testing.assert_array_equal(np.concatenate(heard)[:6400], card.heard[:6400])
    np.testing.assert_array_equal(heard[4], 0)
    assert microphone.lost == 9600
    assert "0.60 s of sound lost at 0.4 s" in caplog.text
    blocks.close()  # pyright: ignore[reportAttributeAccessIssue]


def test_it_has_no_end(card: type[Stream]):
    with pytest.raises(ValueError, match="no end"):
        Microphone().length(8000)


def test_without_sounddevice_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(UserError, match=r"pip install 'audiosurvey\[mic\]'"):
        Microphone()


def test_without_a_device_it_says_so(card: type[Stream], monkeypatch: pytest.MonkeyPatch):
    def none(kind: str) -> dict[str, float]:
        raise PortAudioError("Error querying device -1")

    monkeypatch.setattr(sys.modules["sounddevice"], "query_devices", none)
    with pytest.raises(UserError, match=r"microphone: none found \(Error querying device -1\)"):
        Microphone()
