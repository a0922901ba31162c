"""The stream: the same samples and the same scores as the whole, whatever the blocks; bounded; honest about faults."""

import io
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import audiosurvey
from audiosurvey.artefact.classifier import Classifier
from audiosurvey.data.audio.decoding import BLOCK_FRAMES, BadAudio, decode
from audiosurvey.data.audio.resampling import converted
from audiosurvey.data.audio.windows import cut
from audiosurvey.errors import UserError
from audiosurvey.prediction.stream import (
    read_blocks,
    score_batches,
    score_sounds,
    score_stream,
    window_samples,
)

RATE = 8000


class Counting(Classifier):
    """Scores that a reader can work out: the first sample of a window, and its mean."""

    def __init__(self, clip_samples: int = 4, pad: str = "zeros") -> None:
        facts = {"labels": ["first", "mean"], "sample_rate": 1, "clip_samples": clip_samples, "pad": pad}
        super().__init__(facts)
        self.calls: list[int] = []

    def scores(self, wave: Any) -> np.ndarray:
        self.calls.append(len(wave))
        return np.stack([wave[:, 0], wave.mean(axis=1)], axis=1)


@pytest.fixture(scope="module")
def model(finished_run: Path) -> Classifier:
    return audiosurvey.load(finished_run / "fold-1" / "model")


def sound(seconds: float, rate: int, channels: int = 1) -> np.ndarray:
    rng = np.random.default_rng(7)
    return (0.2 * rng.standard_normal((int(seconds * rate), channels))).astype(np.float32)


def blocks_of(wave: np.ndarray, size: int) -> Iterator[np.ndarray]:
    yield from (wave[at : at + size] for at in range(0, len(wave), size))


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (44100, 2), (11025, 1), (48000, 3)])
@pytest.mark.parametrize("mono", ["mean", "left", "loudest"])
def test_the_blocks_of_a_file_are_bit_for_bit_the_whole(tmp_path: Path, rate, channels, mono):
    wave = sound(3.3, rate, channels)
    wave[:, -1] *= 1.5
    assert len(wave) > BLOCK_FRAMES or rate < 20000
    soundfile.write(tmp_path / "a.wav", wave, rate)
    blocks = list(read_blocks(tmp_path / "a.wav", sample_rate=RATE, mono=mono))
    np.testing.assert_array_equal(np.concatenate(blocks), decode(tmp_path / "a.wav", sample_rate=RATE, mono=mono))
    assert max(map(len, blocks)) <= 2 * BLOCK_FRAMES


@pytest.mark.parametrize("format", ["FLAC", "OGG", "MP3", "AIFF", "W64"])
def test_every_format_goes_by_blocks(format):
    file = io.BytesIO()
    soundfile.write(file, sound(2.5, 44100), 44100, format=format)
    blocks = np.concatenate(list(read_blocks(file, sample_rate=RATE)))
    np.testing.assert_array_equal(blocks, decode(file.getvalue(), sample_rate=RATE))


@pytest.mark.parametrize(("rate", "mode"), [(44100, "VARIABLE"), (24000, "VARIABLE"), (24000, "CONSTANT")])
def test_an_mp3_of_the_lowest_bitrate_is_the_same_by_blocks(rate, mode):
    """Frames of low bitrates take most of their bits from frames before them, which a seek leaves out."""
    file = io.BytesIO()
    soundfile.write(file, sound(7, rate), rate, format="MP3", compression_level=0.999, bitrate_mode=mode)
    blocks = np.concatenate(list(read_blocks(file, sample_rate=rate)))
    assert len(blocks) >= 7 * rate > 2 * BLOCK_FRAMES
    np.testing.assert_array_equal(blocks, decode(file.getvalue(), sample_rate=rate))


@pytest.mark.parametrize("size", [1, 17, 1000, 10**6])
def test_the_size_of_the_blocks_changes_nothing(size):
    wave_SC = sound(0.5, 44100, 2)
    whole = np.concatenate(list(converted([wave_SC], 44100, sample_rate=RATE)))
    assert len(whole) == 4000
    np.testing.assert_array_equal(
        np.concatenate(list(converted(blocks_of(wave_SC, size), 44100, sample_rate=RATE))), whole
    )


def test_a_recorder_that_was_switched_off_left_a_whole_recording(tmp_path: Path):
    wave = sound(2, 44100)
    soundfile.write(tmp_path / "a.wav", wave, 44100)
    content = bytearray((tmp_path / "a.wav").read_bytes())
    data = content.index(b"data")
    content[4:8] = content[data + 4 : data + 8] = bytes(4)
    (tmp_path / "open.wav").write_bytes(content)
    blocks = np.concatenate(list(read_blocks(tmp_path / "open.wav", sample_rate=44100)))
    np.testing.assert_array_equal(blocks, decode(tmp_path / "a.wav", sample_rate=44100))


@pytest.mark.parametrize("format", ["WAV", "FLAC", "AIFF"])
def test_a_cut_file_gives_what_is_there_and_then_says_so(tmp_path: Path, format):
    path = tmp_path / f"a.{format.lower()}"
    soundfile.write(path, sound(10, 44100), 44100, format=format)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    given: list[np.ndarray] = []
    with pytest.raises(BadAudio, match=r"truncated|cannot be decoded"):
        given.extend(read_blocks(path, sample_rate=RATE))
    assert 3 * RATE < sum(map(len, given)) < 6 * RATE


@pytest.mark.parametrize("content", [b"", b"no sound at all", b"RIFF\x24\0\0\0WAVE"])
def test_what_is_no_sound_says_so_at_once(tmp_path: Path, content):
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(BadAudio):
        next(read_blocks(tmp_path / "a.wav", sample_rate=RATE))


def test_no_frames_no_numbers_and_less_than_a_sample_are_faults():
    with pytest.raises(BadAudio, match="no sound"):
        list(converted([], RATE, sample_rate=RATE))
    with pytest.raises(BadAudio, match="not numbers"):
        list(converted([np.full((3, 1), np.nan, np.float32)], RATE, sample_rate=RATE))
    with pytest.raises(BadAudio, match="too short"):
        list(converted([np.zeros((2, 1), np.float32)], 44100, sample_rate=RATE))


@pytest.mark.parametrize(
    ("length", "window", "hop", "starts"),
    [
        (8, 4, 4, [0, 4]),
        (9, 4, 4, [0, 4, 5]),
        (3, 4, 4, [0]),
        (4, 4, 1, [0]),
        (7, 4, 2, [0, 2, 3]),
        (10, 3, 2.5, [0, 2, 5, 7]),
        (11, 2, 5, [0, 5]),
        (12, 2, 5, [0, 5, 10]),
        (0, 4, 4, []),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 5, 100])
def test_windows_begin_where_they_should_and_hold_their_samples(length, window, hop, starts, size):
    wave = np.arange(length, dtype=np.float32)
    found = list(cut(blocks_of(wave, size), window, Fraction(hop)))
    assert [start for start, _ in found] == starts
    for start, part in found:
        np.testing.assert_array_equal(part, wave[start : start + window])


def test_times_do_not_drift_with_a_hop_between_samples():
    starts = [start for start, _ in cut([np.zeros(10_000, np.float32)], 10, Fraction(4, 3))]
    assert starts[3 * 1000] == 4000


def test_scores_by_hand():
    wave = np.arange(10, dtype=np.float32) / 10
    windows = list(score_stream(Counting(), [wave]))
    assert [(one.start_s, one.end_s) for one in windows] == [(0, 4), (4, 8), (6, 10)]
    np.testing.assert_allclose([one.score_K for one in windows], [[0, 0.15], [0.4, 0.55], [0.6, 0.75]], atol=1e-4)


@pytest.mark.parametrize(("pad", "mean"), [("zeros", 0.25), ("repeat", 0.5)])
def test_a_short_sound_is_padded_as_in_training_and_ends_where_it_ends(pad, mean):
    (only,) = score_stream(Counting(pad=pad), [np.full(2, 0.5, np.float32)])
    assert (only.start_s, only.end_s) == (0, 2)
    np.testing.assert_allclose(only.score_K, [0.5, mean], atol=1e-4)


def test_batches_hold_so_many_windows_of_the_model_and_skipped_ones_are_not_scored():
    model, wave = Counting(), np.arange(40, dtype=np.float32) / 40
    everything = list(score_stream(model, [wave], batch_size=4))
    assert model.calls == [4, 4, 2]
    model.calls.clear()
    (rest,) = score_batches(model, [wave], 4, Fraction(4), batch_size=4, skip=8)
    assert model.calls == [2]
    np.testing.assert_array_equal([one.score_K for one in rest], [one.score_K for one in everything[8:]])
    model.calls.clear()
    # A window of 8 is two of the model's, so two of them make a batch of four.
    assert len(list(score_stream(model, [wave], window_s=8, batch_size=4))) == 5
    assert model.calls == [4, 4, 2]


def test_a_hop_of_tenths_of_a_second_falls_on_the_samples_it_means():
    assert window_samples(Counting(), 4, 0.1 * 30) == (4, 3)
    with pytest.raises(UserError):
        window_samples(Counting(), 4, 0.4)


@pytest.mark.parametrize(("window", "hop"), [(0, None), (None, 0.4), (-1, None)])
def test_a_window_or_hop_of_nothing_is_a_mistake(window, hop):
    with pytest.raises(UserError, match="window and hop"):
        list(score_stream(Counting(), [np.zeros(9, np.float32)], window_s=window, hop_s=hop))


@pytest.mark.parametrize("window_s", [0.35, 0.5, 1.3])
def test_a_window_scores_as_predict_scores_its_sound(model: Classifier, window_s):
    wave = sound(4, RATE)[:, 0] * np.linspace(0.01, 1, 4 * RATE, dtype=np.float32)
    windows = list(score_stream(model, blocks_of(wave, 777), window_s=window_s, hop_s=0.3))
    assert windows[-1].end_s == 4
    for one in windows:
        predicted = model.predict(wave[round(one.start_s * RATE) : round(one.end_s * RATE)])
        np.testing.assert_allclose(one.score_K, [predicted[label] for label in model.labels], atol=1e-5)


def test_the_rounding_of_a_window_by_itself_or_within_its_recording_is_no_matter(model: Classifier):
    # Evaluation rounds a whole clip to 16 bits, a stream each window; 40 dB of dynamics lie within this clip.
    wave = sound(2, RATE)[:, 0] * np.geomspace(0.01, 1, 2 * RATE, dtype=np.float32)
    alone = [one.score_K for one in score_stream(model, [wave])]
    within = model.scores(model.windows(wave))
    assert np.abs(alone - within).max() < 1e-3


def test_sounds_scored_together_score_as_alone(model: Classifier, tones: Path):
    waves = [model.decoded(path) for path in sorted(tones.glob("*/[0-2].wav"))] + [sound(1.2, RATE)[:, 0]]
    together = score_sounds(model, waves, batch_size=5)
    assert together.counts_N.tolist() == [1] * 12 + [3]
    for wave, score_K in zip(waves, together.sounds_NK, strict=True):
        predicted = model.predict(wave)
        np.testing.assert_allclose(score_K, [predicted[label] for label in model.labels], atol=1e-5)


def test_windows_before_a_fault_are_scored():
    def broken() -> Iterator[np.ndarray]:
        yield np.arange(10, dtype=np.float32)
        raise BadAudio("the card was pulled")

    found: list[float] = []
    with pytest.raises(BadAudio, match="pulled"):
        found.extend(one.start_s for one in score_stream(Counting(), broken()))
    assert found == [0, 4]


def test_a_long_stream_holds_no_more_than_a_window_and_a_block():
    held: list[int] = []

    def endless() -> Iterator[np.ndarray]:
        for _ in range(2000):
            yield np.zeros(500, np.float32)

    for _, part in cut(endless(), 1000, Fraction(1000)):
        base = part.base
        held.append(len(base) if isinstance(base, np.ndarray) else len(part))
    assert len(held) == 1000
    assert max(held) <= 2500
