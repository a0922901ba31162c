"""Mono blocks: joined, they are what decoding the whole file gives, bit for bit."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiosurvey.data.audio import decoding as audio
from audiosurvey.data.audio.decoding import BadAudio, decode
from audiosurvey.data.audio.resampling import converted, mono_blocks

RATES = [(8000, 8000), (44_100, 32_000), (11_025, 32_000), (48_000, 16_000), (22_050, 44_100)]


@pytest.mark.parametrize(("rate", "sample_rate"), RATES)
@pytest.mark.parametrize("mono", ["mean", "left", "loudest"])
@pytest.mark.parametrize("stretch", [(None, None), (0.4, 1.9)])
def test_blocks_joined_are_the_whole(tmp_path: Path, monkeypatch, rate: int, sample_rate: int, mono, stretch) -> None:
    wave_SC = np.random.default_rng(rate).uniform(-1, 1, (2 * rate + 7, 3)) * [0.3, 0.9, 0.5]
    soundfile.write(tmp_path / "a.wav", wave_SC, rate, subtype="FLOAT")
    start_s, end_s = stretch
    how = {"start_s": start_s, "end_s": end_s, "mono": mono, "sample_rate": sample_rate}
    expected_S = decode(tmp_path / "a.wav", **how)
    monkeypatch.setattr(audio, "BLOCK_FRAMES", 1000)
    blocks = list(mono_blocks(tmp_path / "a.wav", **how))
    assert len(blocks) > 10
    assert max(map(len, blocks)) < 10_000
    np.testing.assert_array_equal(np.concatenate(blocks), expected_S)


def test_a_file_cut_short_gives_what_is_there_only_if_asked(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.full((8000, 2), 0.5), 8000)
    (tmp_path / "a.wav").write_bytes((tmp_path / "a.wav").read_bytes()[:-8000])
    given: list[np.ndarray] = []
    for cut, there in ((False, 0), (True, 6000)):
        with pytest.raises(BadAudio, match="truncated"):
            given.extend(mono_blocks(tmp_path / "a.wav", mono="loudest", sample_rate=8000, cut=cut))
        assert sum(map(len, given)) == there


def test_huge_samples_are_refused_before_they_are_summed() -> None:
    blocks_SC = [np.full((10, 2), 3e38, np.float32)]
    with pytest.raises(BadAudio, match=r"up to 3e\+38"):
        list(converted(blocks_SC, 8000, sample_rate=16_000))
