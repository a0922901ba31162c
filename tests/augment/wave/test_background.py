"""Recorded backgrounds have the asked level under the clip, fill the window, and are never a silent stretch."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st

from audiosurvey.augment.extent import Extent
from audiosurvey.augment.wave.background import Background, BackgroundConfig, BackgroundDraw
from audiosurvey.errors import UserError
from audiosurvey.randomness import stream

RATE, SAMPLES = 8000, 4000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A long recording, half of it silent; one as long as a window; a short one, at another rate."""
    folder = tmp_path_factory.mktemp("recordings")
    rng = np.random.default_rng(0)
    long_S = 0.2 * rng.standard_normal(40_000)
    long_S[20_000:] = 0
    soundfile.write(folder / "long.wav", long_S, RATE)
    soundfile.write(folder / "short.flac", 0.01 * rng.standard_normal(3000), 2 * RATE)
    soundfile.write(folder / "window.wav", 0.1 * np.sin(np.arange(SAMPLES) * 0.05), RATE)
    return folder


def made(folder: Path, **settings: float) -> Background:
    return Background(BackgroundConfig(folder=folder, **({"p": 1} | settings)), sample_rate=RATE)


def clip(seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(0.05 * stream("clip", seed).standard_normal((1, SAMPLES), dtype=np.float32))


@given(st.floats(-20, 50), st.integers(50, SAMPLES), st.integers(0, 3000), st.integers(0, 500))
def test_ratio_where_the_clip_sounds(folder: Path, snr_db: float, length: int, first: int, seed: int) -> None:
    extent = Extent.between(first, first + length, SAMPLES)
    inside = slice(extent.first, extent.first + extent.length)
    wave_BS = torch.zeros(1, SAMPLES)
    wave_BS[:, inside] = clip(seed)[:, inside]
    background = made(folder, min_snr_db=snr_db, max_snr_db=snr_db)
    draw = background.draw_in(stream(seed, "background"), extent)
    added = (background.apply(wave_BS, [draw], [extent.length]) - wave_BS)[0, inside].double().square().mean()
    power = wave_BS[0, inside].double().square().mean()
    assert abs(10 * torch.log10(power / added).item() - snr_db) < 0.1


def test_the_ratio_of_a_clip_round_the_end_of_its_window(folder: Path) -> None:
    extent = Extent(3000, 2000, SAMPLES)
    wave_BS = clip()
    wave_BS[:, 1000:3000] = 0
    background = made(folder, min_snr_db=6, max_snr_db=6)
    added_S = (background.apply(wave_BS, [background.draw_in(stream(1), extent)], [2000]) - wave_BS)[0]
    under = torch.cat([added_S[3000:], added_S[:1000]]).double().square().mean()
    assert 10 * torch.log10(wave_BS.double().square().sum() / 2000 / under).item() == pytest.approx(6, abs=0.1)


def test_the_stretch_is_that_of_the_recording(folder: Path) -> None:
    recorded_S, _ = soundfile.read(folder / "long.wav", dtype="float32")
    background = made(folder)
    draw = BackgroundDraw("long.wav", 1234, 0.0, power=1.0)
    added_S = (background.apply(clip(), [draw], [SAMPLES]) - clip())[0].numpy()
    assert np.corrcoef(added_S, recorded_S[1234 : 1234 + SAMPLES])[0, 1] > 0.9999


def test_short_recordings_are_repeated(folder: Path) -> None:
    background = made(folder)
    added_S = (background.apply(clip(), [BackgroundDraw("short.flac", 100, 0.0, 1.0)], [SAMPLES]) - clip())[0]
    torch.testing.assert_close(added_S[:1500], added_S[1500:3000], atol=1e-6, rtol=0)
    assert added_S[3000:].abs().max() > 0, "the whole window is filled"


def test_every_recording_is_as_likely_and_silence_is_not_drawn(folder: Path) -> None:
    background = made(folder)
    assert background.recordings is not None
    draws = [background.draw_in(stream(n), Extent.whole(SAMPLES)) for n in range(300)]
    found = {name: [draw for draw in draws if draw and draw.recording == name] for name in background.recordings.names}
    assert min(map(len, found.values())) > 60
    assert max(draw.start for draw in found["long.wav"]) < 20_000
    assert len({draw.start for draw in found["long.wav"]}) > 50
    assert {draw.start for draw in found["window.wav"]} == {0}
    assert all(draw.power > 0 for draw in draws if draw)


def test_the_same_draw_sounds_the_same_alone_and_in_a_batch(folder: Path) -> None:
    background = made(folder, p=0.5)
    waves_BS = torch.cat([clip(n) for n in range(8)])
    draws = [background.draw_in(stream(n, "background"), Extent.whole(SAMPLES)) for n in range(8)]
    assert {draw is None for draw in draws} == {True, False}
    out_BS = background.apply(waves_BS, draws, [SAMPLES] * 8)
    for row, draw in enumerate(draws):
        again = made(folder, p=0.5)
        assert again.draw_in(stream(row, "background"), Extent.whole(SAMPLES)) == draw
        torch.testing.assert_close(again.apply(waves_BS[row : row + 1], [draw], [SAMPLES])[0], out_BS[row])
        assert torch.equal(out_BS[row], waves_BS[row]) == (draw is None)


def test_a_silent_clip_stays_silent(folder: Path) -> None:
    background, silent_BS = made(folder), torch.zeros(1, SAMPLES)
    draw = background.draw_in(stream(0), Extent.until(0, SAMPLES))
    assert torch.equal(background.apply(silent_BS, [draw], [0]), silent_BS)


def test_what_preview_tells(folder: Path) -> None:
    told = made(folder).describe(BackgroundDraw("long.wav", 4000, 12.5, 0.1))
    assert told == {"recording": "long.wav", "start_s": 0.5, "snr_db": 12.5}


def test_off_reads_nothing(tmp_path: Path) -> None:
    background = Background(BackgroundConfig(folder=tmp_path / "nowhere"), sample_rate=RATE)
    assert background.recordings is None
    assert background.draw_in(stream(0), Extent.whole(SAMPLES)) is None


@pytest.mark.parametrize(
    ("folder_name", "said"),
    [
        (None, "augmentation.background.folder: give a folder of recordings"),
        ("nowhere", "augmentation.background.folder: .*nowhere: no such folder"),
        ("", "augmentation.background.folder: .*: no sound files in this folder"),
    ],
)
def test_without_recordings_one_line(tmp_path: Path, folder_name: str | None, said: str) -> None:
    config = BackgroundConfig(p=0.5, folder=None if folder_name is None else tmp_path / folder_name)
    with pytest.raises(UserError, match=said) as error:
        Background(config, sample_rate=RATE)
    assert len(error.value.lines) == 1
