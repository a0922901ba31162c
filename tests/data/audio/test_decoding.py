"""Decoding: formats, stretches, ways to mono, resampling, and every kind of file that gives no sound."""

import io
import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from audiosurvey.data.audio.decoding import (
    BLOCK_FRAMES,
    BadAudio,
    blocks,
    decode,
    probe,
    read,
    resample,
    resampled_length,
)

RATE = 8000


def tone(seconds: float = 0.5, hz: float = 440.0, rate: int = RATE) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


@pytest.mark.parametrize(
    ("format", "subtype", "tolerance"),
    [
        ("WAV", "PCM_U8", 1 / 100),
        ("WAV", "PCM_16", 1 / 30000),
        ("WAV", "PCM_24", 1e-6),
        ("WAV", "PCM_32", 1e-6),
        ("WAV", "FLOAT", 0),
        ("WAV", "DOUBLE", 0),
        ("RF64", "PCM_16", 1 / 30000),
        ("W64", "PCM_16", 1 / 30000),
        ("AIFF", "PCM_16", 1 / 30000),
        ("AU", "PCM_16", 1 / 30000),
        ("CAF", "PCM_16", 1 / 30000),
        ("FLAC", "PCM_16", 1 / 30000),
        ("FLAC", "PCM_24", 1e-6),
        ("OGG", "VORBIS", 0.05),
        ("MP3", "MPEG_LAYER_III", 0.05),
    ],
)
def test_formats_give_the_samples_that_were_written(
    tmp_path: Path, format: str, subtype: str, tolerance: float
) -> None:
    path = tmp_path / "Gewitter – гроза 雷.snd"
    soundfile.write(path, tone(), RATE, format=format, subtype=subtype)
    wave_S = decode(path, sample_rate=RATE)
    assert wave_S.dtype == np.float32
    assert len(wave_S) == len(tone())
    assert np.abs(wave_S - tone())[200:-200].max() <= tolerance
    assert np.array_equal(decode(path.read_bytes(), sample_rate=RATE), wave_S)
    assert probe(path).seconds == 0.5
    assert probe(path).channels == 1


def test_loud_floats_are_not_clipped(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "loud.wav", 8 * tone(), RATE, subtype="FLOAT")
    assert decode(tmp_path / "loud.wav", sample_rate=RATE).max() == pytest.approx(4.0, rel=1e-3)


@pytest.mark.parametrize("format", ["WAV", "FLAC", "OGG", "MP3"])
def test_stretch_is_the_same_as_slicing_the_whole(tmp_path: Path, format: str) -> None:
    path = tmp_path / "long"
    soundfile.write(path, np.random.default_rng(1).uniform(-0.5, 0.5, 4 * RATE), RATE, format=format)
    whole_S = decode(path, sample_rate=RATE)
    part_S = decode(path, start_s=1.25, end_s=2.5, sample_rate=RATE)
    assert np.allclose(part_S, whole_S[RATE * 5 // 4 : RATE * 5 // 2], atol=1e-4)
    assert len(decode(path, start_s=3.0, end_s=99.0, sample_rate=RATE)) == RATE


def test_ways_to_mono(tmp_path: Path) -> None:
    left, middle, right = 0.1 * tone(), -0.6 * tone(), 0.3 * tone()
    soundfile.write(tmp_path / "three.wav", np.stack([left, middle, right], 1), RATE, subtype="FLOAT")
    path = tmp_path / "three.wav"
    assert np.array_equal(decode(path, mono="left", sample_rate=RATE), left)
    assert np.array_equal(decode(path, mono="loudest", sample_rate=RATE), middle)
    assert np.allclose(decode(path, mono="mean", sample_rate=RATE), (left + middle + right) / 3, atol=1e-7)
    assert read(path)[0].shape == (len(left), 3)
    with pytest.raises(ValueError, match="sideways"):
        decode(path, mono="sideways", sample_rate=RATE)  # pyright: ignore[reportArgumentType]


def test_the_loudest_channel_is_that_of_the_stretch(tmp_path: Path) -> None:
    x_SC = np.zeros((2 * RATE, 2), np.float32)
    x_SC[:RATE, 0], x_SC[RATE:, 1] = 0.9, 0.1
    soundfile.write(tmp_path / "turn.wav", x_SC, RATE, subtype="FLOAT")
    assert decode(tmp_path / "turn.wav", mono="loudest", sample_rate=RATE).max() > 0.5
    assert decode(tmp_path / "turn.wav", mono="loudest", start_s=1, sample_rate=RATE).min() > 0.09


def test_resampling_keeps_what_both_rates_can_hold() -> None:
    low_S = resample(tone(1, 1000, 44100), 44100, 16000)
    assert np.abs(low_S - tone(1, 1000, 16000))[500:-500].max() < 1e-3
    assert np.abs(resample(tone(1, 12000, 44100), 44100, 16000)[500:-500]).max() < 1e-3


@given(
    st.integers(1, 3000),
    st.sampled_from([8000, 11025, 22050, 44100, 48000]),
    st.sampled_from([8000, 16000, 30000, 32000]),
)
def test_length_is_the_rounded_ratio(frames: int, rate: int, sample_rate: int) -> None:
    expected = int(np.floor(frames * sample_rate / rate + 0.5))
    assert resampled_length(frames, rate, sample_rate) == expected
    if expected:
        assert len(resample(np.ones(frames, np.float32), rate, sample_rate)) == expected
    else:
        with pytest.raises(BadAudio, match="too short"):
            resample(np.ones(frames, np.float32), rate, sample_rate)


def reason(source: Path | bytes, **stretch: float) -> str:
    with pytest.raises(BadAudio) as caught:
        decode(source, sample_rate=RATE, **stretch)  # pyright: ignore[reportArgumentType]
    return caught.value.reason


def test_what_is_no_sound_is_refused_with_its_reason(tmp_path: Path) -> None:
    assert reason(tmp_path / "absent.wav") == "file not found"
    assert "folder" in reason(tmp_path)
    assert "empty" in reason(b"")
    for name in ("text.wav", "text.mp3", "text.raw"):
        (tmp_path / name).write_bytes(b"This is not a sound. " * 50)
        assert reason(tmp_path / name).startswith("not a sound file")
    soundfile.write(tmp_path / "zero.wav", np.zeros(0), RATE)
    assert "zero frames" in reason(tmp_path / "zero.wav")
    for value in (np.nan, np.inf):
        soundfile.write(tmp_path / "nan.wav", np.array([0.1, value, 0.2]), RATE, subtype="FLOAT")
        assert "not numbers" in reason(tmp_path / "nan.wav")


def test_impossible_stretches_are_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "half.wav", tone(), RATE)
    assert "begins at 0.5 s, the file ends at 0.500 s" in reason(tmp_path / "half.wav", start_s=0.5)
    assert "contains no sound" in reason(tmp_path / "half.wav", start_s=0.3, end_s=0.2)
    assert "contains no sound" in reason(tmp_path / "half.wav", start_s=-1.0)


@pytest.mark.parametrize("format", ["FLAC", "MP3", "OGG", "CAF"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_compressed_files_cut_short_are_refused(format: str, share: float) -> None:
    file = io.BytesIO()
    soundfile.write(file, np.random.default_rng(0).uniform(-0.5, 0.5, 4 * RATE), RATE, format=format)
    assert len(decode(file.getvalue(), sample_rate=RATE)) == 4 * RATE
    content = file.getvalue()
    assert reason(content[: int(share * len(content))]).startswith(("truncated", "cannot be decoded"))


def test_flac_of_unknown_length_is_read_to_its_end() -> None:
    file = io.BytesIO()
    soundfile.write(file, tone(), RATE, format="FLAC")
    content = bytearray(file.getvalue())
    # STREAMINFO: the total of samples is the 36 bits before the MD5; a writer into a pipe leaves them 0.
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    assert probe(bytes(content)).frames is None
    assert np.abs(decode(bytes(content), sample_rate=RATE) - tone()).max() < 1e-4
    assert len(decode(bytes(content), start_s=0.25, end_s=0.375, sample_rate=RATE)) == RATE // 8


def test_every_clip_of_the_real_data_opens(shared: Path) -> None:
    for path in sorted((shared / "data" / "urbansound8k-15" / "audio").rglob("*.wav")):
        found = probe(path)
        assert found.frames is not None
        wave_S = decode(path, sample_rate=16000)
        assert len(wave_S) == resampled_length(found.frames, found.sample_rate, 16000)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_what_is_no_plain_file_is_refused_without_opening_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "zero.wav").symlink_to("/dev/zero")
    for name in ("pipe.wav", "zero.wav"):
        assert "not a plain file" in reason(tmp_path / name)
        with pytest.raises(BadAudio, match="not a plain file"):
            probe(tmp_path / name)


def test_memory_follows_the_block_and_not_the_header(tmp_path: Path) -> None:
    """An hour of silence in a small FLAC, and headers that promise years."""
    soundfile.write(tmp_path / "hour.flac", np.zeros(3600 * RATE, np.int16), RATE)
    content = bytearray((tmp_path / "hour.flac").read_bytes())
    content[21:26] = (int.from_bytes(content[21:26], "big") >> 36 << 36 | 0xFFFFFFFFF).to_bytes(5, "big")
    (tmp_path / "years.flac").write_bytes(content)
    tracemalloc.start()
    with blocks(tmp_path / "hour.flac") as (about, pieces):
        assert sum(map(len, pieces)) == about.frames == 3600 * RATE
    with pytest.raises(BadAudio, match="truncated"):
        read(tmp_path / "years.flac")
    heard: list[int] = []
    with blocks(tmp_path / "years.flac", cut=True) as (about, pieces), pytest.raises(BadAudio, match="truncated"):
        heard.extend(map(len, pieces))
    assert sum(heard) == 3600 * RATE
    assert max(heard) <= BLOCK_FRAMES
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8e6


def test_blocks_are_no_longer_than_the_limit(tmp_path: Path) -> None:
    wave = np.random.default_rng(4).uniform(-0.5, 0.5, (20 * RATE + 7, 2)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", wave, RATE, subtype="FLOAT")
    with blocks(tmp_path / "a.wav", start_s=0.5) as (_, pieces):
        given = list(pieces)
    assert len(given) > 1
    assert {len(piece) for piece in given[:-1]} == {BLOCK_FRAMES}
    assert 0 < len(given[-1]) <= BLOCK_FRAMES
    np.testing.assert_array_equal(np.concatenate(given), wave[RATE // 2 :])


def test_a_sound_of_many_channels_comes_in_smaller_blocks(tmp_path: Path) -> None:
    wave = np.random.default_rng(4).integers(-9, 9, (30_000, 300)).astype(np.int16)
    soundfile.write(tmp_path / "many.wav", wave, RATE)
    with blocks(tmp_path / "many.wav") as (_, pieces):
        given = list(pieces)
    assert max(piece.size for piece in given) <= 1 << 22
    np.testing.assert_array_equal(np.concatenate(given), (wave / 2**15).astype(np.float32))


def test_an_open_file_is_read_like_its_bytes(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", tone(), RATE)
    with (tmp_path / "a.flac").open("rb") as file:
        file.seek(100)
        np.testing.assert_array_equal(decode(file, sample_rate=RATE), decode(tmp_path / "a.flac", sample_rate=RATE))


def test_a_file_that_is_replaced_is_looked_at_again(tmp_path: Path) -> None:
    for seconds in (1.0, 0.5):
        soundfile.write(tmp_path / "a.mp3", tone(seconds), RATE)
        assert len(decode(tmp_path / "a.mp3", sample_rate=RATE)) == seconds * RATE
