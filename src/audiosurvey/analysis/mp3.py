"""MP3 round trip of a wave: encoded and decoded by libsndfile, in memory."""

import io

import numpy as np
import soundfile
import soxr

RATES_HZ = {128: 44100, 96: 44100, 64: 44100, 32: 22050, 16: 16000}
"""The bit rates in kbit/s, and the sample rate at which each is encoded: speech and radio rates are lower."""
_MPEG_1_FROM_HZ = 32000
_BITRATES = {True: (32, 320), False: (8, 160)}
"""Lowest and highest bit rate in kbit/s, for MPEG-1 and MPEG-2."""
_DELAY = 576 + 529
"""Samples by which encoder and decoder delay a file without the tag that says so. LAME leaves the tag out where a frame
has no room for it."""
_LEAST_S = 0.5


def mp3_is_written() -> bool:
    """Whether this libsndfile writes MP3."""
    return "MP3" in soundfile.available_formats()


def encode(wave_S: np.ndarray, sample_rate: int, kbit_s: int) -> bytes:
    """The wave (S) as a mono MP3 file of constant bit rate. `sample_rate`: one that MP3 has, from 16 kHz on."""
    low, high = _BITRATES[sample_rate >= _MPEG_1_FROM_HZ]
    file = io.BytesIO()
    # libsndfile maps the compression level linearly to the bit rates of the format.
    soundfile.write(
        file,
        wave_S,
        sample_rate,
        format="MP3",
        subtype="MPEG_LAYER_III",
        bitrate_mode="CONSTANT",
        compression_level=1 - (kbit_s - low) / (high - low),
    )
    return file.getvalue()


def round_trip(wave_S: np.ndarray, sample_rate: int, kbit_s: int) -> np.ndarray:
    """The wave (S) after MP3 at a bit rate of `RATES_HZ`: of the same length, not delayed, softer by 0.5 dB at most.

    It is encoded with its peak at -1 dB of full scale, so that it is not clipped.
    """
    peak = float(np.abs(wave_S).max(initial=0.0))
    if peak == 0:
        return wave_S
    rate, scale = RATES_HZ[kbit_s], 0.89 / peak
    # Files of a few frames are not recognised when they are read.
    padded_S = np.pad(wave_S * np.float32(scale), (0, max(0, round(_LEAST_S * sample_rate) - len(wave_S))))
    coded_S, _ = soundfile.read(io.BytesIO(encode(soxr.resample(padded_S, sample_rate, rate), rate, kbit_s)))
    length = round(len(padded_S) * rate / sample_rate)
    if len(coded_S) > length + _DELAY:
        coded_S = coded_S[_DELAY:]
    back_S = soxr.resample(coded_S[:length], rate, sample_rate)[: len(wave_S)] / scale
    return np.pad(back_S, (0, len(wave_S) - len(back_S))).astype(np.float32)
