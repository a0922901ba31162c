"""Files that end too early, and files whose writer could not know how long they would be."""

import io
import struct

import numpy as np
import pytest
import soundfile

from audiosurvey.data.audio.decoding import BadAudio, decode
from audiosurvey.data.audio.integrity import sound_parts

RATE = 8000
WAVE = np.random.default_rng(3).uniform(-0.9, 0.9, RATE)


def missing_end(stream: io.BytesIO) -> str | None:
    """Why the file is known to be truncated."""
    return next((part.fault for part in sound_parts(stream) if part.fault), None)


def content(format: str, subtype: str | None = None, endian: str | None = None) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, WAVE, RATE, format=format, subtype=subtype, endian=endian)
    return file.getvalue()


CONTAINERS = [
    ("WAV", "PCM_16", None),
    ("WAV", "PCM_24", None),
    ("WAV", "PCM_16", "BIG"),
    ("WAVEX", "FLOAT", None),
    ("RF64", "PCM_16", None),
    ("AIFF", "PCM_16", None),
    ("W64", "PCM_16", None),
    ("AU", "PCM_16", None),
    ("OGG", "VORBIS", None),
    ("OGG", "OPUS", None),
]


@pytest.mark.parametrize(("format", "subtype", "endian"), CONTAINERS)
@pytest.mark.parametrize("lost", [0.001, 0.1, 0.8])
def test_a_cut_file_is_found_and_a_whole_one_is_not(format: str, subtype: str, endian: str | None, lost: float) -> None:
    whole = content(format, subtype, endian)
    cut = whole[: min(len(whole) - 2, round((1 - lost) * len(whole)))]
    assert missing_end(io.BytesIO(whole)) is None
    assert (missing_end(io.BytesIO(cut)) or "").startswith("truncated")
    with pytest.raises(BadAudio, match="truncated"):
        decode(cut, sample_rate=RATE)


def test_tags_behind_the_sound_do_no_harm() -> None:
    wav = content("WAV", "PCM_16") + b"LIST" + struct.pack("<I", 4) + b"INFO"
    assert missing_end(io.BytesIO(wav)) is None
    assert missing_end(io.BytesIO(content("OGG", "VORBIS") + b"TAG" + bytes(125))) is None


def test_ogg_without_its_last_page_is_found() -> None:
    ogg = content("OGG", "VORBIS")
    assert missing_end(io.BytesIO(ogg[: ogg.rindex(b"OggS")])) == (
        "truncated: the Ogg stream has no end-of-stream page"
    )
    assert "no page" in (missing_end(io.BytesIO(ogg[:58] + bytes(1 << 18))) or "")


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFF000, 0x7FFFFFFF, 0x80000000])
def test_what_a_pipe_left_is_taken_as_it_is(size: int) -> None:
    wav = bytearray(content("WAV", "PCM_16"))
    data = wav.index(b"data")
    wav[4:8] = struct.pack("<I", 0 if size == 0 else 0xFFFFFFFF)
    wav[data + 4 : data + 8] = struct.pack("<I", size)
    assert np.array_equal(decode(bytes(wav), sample_rate=RATE), decode(content("WAV", "PCM_16"), sample_rate=RATE))


def test_a_closed_wav_without_sound_is_empty_in_spite_of_its_tags() -> None:
    empty = b"RIFF\0\0\0\0WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    empty += b"data\0\0\0\0LIST" + struct.pack("<I", 4) + b"INFO"
    closed = empty[:4] + struct.pack("<I", len(empty) - 8) + empty[8:]
    with pytest.raises(BadAudio, match="contains no sound"):
        decode(closed, sample_rate=None)
    # Sizes that were never written: what follows is the sound.
    expected = np.frombuffer(empty[empty.index(b"LIST") :], "<i2") / 2**15
    np.testing.assert_array_equal(decode(empty, sample_rate=None), expected.astype(np.float32))


@pytest.mark.parametrize("length", [0, 1, 3, 11, 12, 20, 40])
@pytest.mark.parametrize("begin", [b"RIFF....WAVE", b"FORM....AIFF", b"OggS\0", b".snd", b"riff", b""])
def test_stumps_are_judged_without_stumbling(begin: bytes, length: int) -> None:
    stump = io.BytesIO((begin + bytes(64))[:length])
    assert missing_end(stump) is None or "truncated" in str(missing_end(stump))
    with pytest.raises(BadAudio):
        decode(stump.getvalue(), sample_rate=None)
