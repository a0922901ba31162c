"""MP3 round trips: bit rates as another decoder reads them, no delay, hardly a change of level."""

import io

import numpy as np
import pytest
import scipy.signal

from audiosurvey.analysis.mp3 import RATES_HZ, encode, mp3_is_written, round_trip

pytestmark = pytest.mark.skipif(not mp3_is_written(), reason="this libsndfile does not write MP3")


def chirp(rate: int, seconds: float = 3.0) -> np.ndarray:
    """From 200 to 1800 Hz, which every bit rate passes."""
    seconds_S = np.arange(int(seconds * rate)) / rate
    return (0.3 * scipy.signal.chirp(seconds_S, 200, seconds, 1800)).astype(np.float32)


@pytest.mark.parametrize("kbit_s", RATES_HZ)
def test_files_have_the_bit_rate(kbit_s: int):
    import av

    rate = RATES_HZ[kbit_s]
    content = encode(chirp(rate), rate, kbit_s)
    with av.open(io.BytesIO(content)) as file:
        assert file.streams.audio[0].codec_context.bit_rate == 1000 * kbit_s
    assert len(content) * 8 / 3.0 / 1000 == pytest.approx(kbit_s, rel=0.05)


@pytest.mark.parametrize("kbit_s", RATES_HZ)
@pytest.mark.parametrize("sample_rate", [8000, 30000, 44100])
def test_neither_delay_nor_level_changes_much(kbit_s: int, sample_rate: int):
    wave_S = chirp(sample_rate)
    made_S = round_trip(wave_S, sample_rate, kbit_s)
    assert made_S.shape == wave_S.shape
    correlation = scipy.signal.correlate(made_S, wave_S)
    assert abs(int(correlation.argmax()) - (len(wave_S) - 1)) <= 1
    # LAME scales by 0.95 itself.
    assert -0.6 < 10 * np.log10(np.mean(made_S**2) / np.mean(wave_S**2)) < 0.1
    assert np.corrcoef(made_S, wave_S)[0, 1] > 0.99


def test_loud_sounds_are_not_clipped():
    wave_S = 20 * chirp(16000)
    made_S = round_trip(wave_S, 16000, 128)
    assert np.corrcoef(made_S, wave_S)[0, 1] > 0.999
    assert np.std(made_S) == pytest.approx(np.std(wave_S), rel=0.06)
