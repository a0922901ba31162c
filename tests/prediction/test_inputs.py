"""A sound from standard input: told by how it begins; live where it can be."""

import io

import numpy as np
import pytest
import soundfile

from audiosurvey.data.audio.decoding import decode
from audiosurvey.errors import ArgumentError, UserError
from audiosurvey.prediction.inputs import open_stdin
from audiosurvey.prediction.pcm import PcmFormat, PcmSource

RATE = 8000
PCM = PcmFormat(RATE)


def content(format: str, seconds: float = 1.0) -> bytes:
    file = io.BytesIO()
    wave = np.random.default_rng(2).uniform(-0.5, 0.5, int(seconds * RATE))
    soundfile.write(file, wave, RATE, format=format)
    return file.getvalue()


@pytest.mark.parametrize("format", ["WAV", "FLAC", "OGG", "MP3", "AIFF", "AU", "W64", "CAF", "RF64"])
@pytest.mark.parametrize("whole", [False, True])
def test_every_format_is_known_by_how_it_begins(format, whole):
    file = content(format)
    with open_stdin(io.BytesIO(file), None, whole=whole) as source:
        assert source.name == "-"
        assert not source.live
        np.testing.assert_allclose(
            np.concatenate(list(source.blocks(RATE, "mean"))), decode(file, sample_rate=RATE), atol=1e-6
        )


def test_a_long_wav_is_live_and_a_short_one_waits_for_its_end():
    for seconds, live in ((29, False), (31, True)):
        with open_stdin(io.BytesIO(content("WAV", seconds)), None, whole=False) as source:
            assert isinstance(source, PcmSource)
            assert source.live == live


def test_raw_samples_are_live_and_need_their_rate():
    raw = content("WAV")[44:]
    with open_stdin(io.BytesIO(raw), PCM, whole=False) as source:
        assert source.live
        blocks = np.concatenate(list(source.blocks(RATE, "mean")))
    np.testing.assert_array_equal(blocks, np.frombuffer(raw, "<i2") / np.float32(32768))
    with open_stdin(io.BytesIO(raw), PCM, whole=True) as source:
        assert not source.live
        assert source.length(RATE) == len(blocks)
        np.testing.assert_array_equal(np.concatenate(list(source.blocks(RATE, "mean"))), blocks)
    with (
        pytest.raises(ArgumentError, match="not a sound file; for raw samples give rate") as error,
        open_stdin(io.BytesIO(raw), None, whole=False),
    ):
        pass
    assert error.value.flag_lines[0].startswith("-: not a sound file; for raw samples give --rate, and --channels")


def test_a_header_wins_over_what_is_said_of_raw_samples():
    with open_stdin(io.BytesIO(content("FLAC")), PcmFormat(44100, 2), whole=False) as source:
        assert sum(map(len, source.blocks(RATE, "mean"))) == RATE


@pytest.mark.parametrize("pcm", [None, PCM])
def test_nothing_is_a_mistake(pcm):
    with pytest.raises(UserError, match="standard input is empty"), open_stdin(io.BytesIO(b""), pcm, whole=False):
        pass
