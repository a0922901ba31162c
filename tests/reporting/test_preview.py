"""The preview can be opened, holds what was rendered, and names what was drawn."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from matplotlib.image import imread

from audiosurvey.config.loader import load_text
from audiosurvey.data.table import Clip
from audiosurvey.reporting.preview import draw_figure, file_name, in_words, write_preview, write_previews

DRAWN = [{"operation": "noise", "snr_db": 12.3456}, {"operation": "time_masking", "covered_frames": [[1, 4]]}]


def test_writes_four_files_that_can_be_opened(tmp_path: Path) -> None:
    before, after = torch.linspace(-0.5, 0.5, 800), torch.linspace(-2, 2, 800)
    mel_before, mel_after = torch.rand(40, 16), torch.rand(40, 16)
    clip = Clip("audio/dog 1.wav", Path("dog 1.wav"), (0,))
    paths = write_preview(tmp_path / "out", clip, 3, before, after, 8000, mel_before, mel_after, DRAWN, 0.01)
    assert sorted(paths) == sorted((tmp_path / "out").iterdir()), "nothing unfinished is left"
    for path, wave in zip(paths[:2], (before, after), strict=True):
        samples, rate = soundfile.read(path, dtype="float32")
        assert rate == 8000
        np.testing.assert_array_equal(samples, wave.numpy())
    picture = imread(paths[2])
    assert picture.shape[0] > 400
    assert picture[..., :3].std() > 0.05
    facts = json.loads(paths[3].read_text(encoding="utf-8"))
    assert facts == {"clip": "audio/dog 1.wav", "epoch": 3, "sample_rate": 8000, "drawn": DRAWN}
    assert {path.suffix for path in paths} == {".wav", ".png", ".json"}


def test_both_maps_are_drawn_on_the_same_scales() -> None:
    quiet, loud = np.zeros((50, 8), np.float32), np.full((50, 8), 3.0, np.float32)
    figure = draw_figure("title", quiet, loud, DRAWN, 0.02)
    upper, lower = figure.axes[:2]
    assert upper.images[0].get_clim() == lower.images[0].get_clim() == (0, 3)
    assert upper.get_xlim() == lower.get_xlim()
    assert np.allclose(upper.get_xlim(), (-0.01, 0.99)), "50 frames of 20 ms"
    assert np.array_equal(np.asarray(lower.images[0].get_array()), loud.T)


def test_titles_and_units() -> None:
    map_TF = np.zeros((50, 8), np.float32)
    upper, lower, bar = draw_figure("title", map_TF, map_TF, [], 0.02, "dB").axes
    assert (upper.get_title("left"), lower.get_title("left")) == ("before", "after")
    assert upper.get_ylabel() == lower.get_ylabel() == "mel band"
    assert bar.get_ylabel() == "dB"
    assert draw_figure("title", map_TF, map_TF, [], 0.02).axes[2].get_ylabel() == "value on the spectrogram"


def test_an_even_map_can_be_drawn() -> None:
    figure = draw_figure("silence", np.zeros((5, 4), np.float32), np.zeros((5, 4), np.float32), [], 0.01)
    low, high = figure.axes[0].images[0].get_clim()
    assert low < high


def test_words() -> None:
    assert in_words(DRAWN) == "noise (snr_db 12.3); time_masking (frames 1 to 4)"
    bands = [{"operation": "freq_masking", "covered_bands": [[33, 38], [40, 40], [61, 63]]}]
    assert in_words(bands) == "freq_masking (bands 33 to 38, 40, 61 to 63)"
    assert in_words([{"operation": "freq_masking", "covered_bands": []}]) == "freq_masking (bands none)"
    assert in_words([]) == "nothing drawn: the clip is left as it is"


def test_file_names_are_safe_and_tell_clips_apart() -> None:
    assert file_name("audio/1-100032-A-0.wav") == "audio__1-100032-A-0"
    assert file_name("a.flac#1.500-3.000") == "a.flac#1.500-3.000"
    names = {file_name(name) for name in ("a b", "a:b", "a?b", "a_b", "x" * 500, "x" * 501, "../../etc")}
    assert len(names) == 7
    assert all(len(name) < 140 and not set(name) & set('/\\:*?"<>| ') for name in names)
    assert not any(name.startswith(".") for name in names)
    # Names stay readable in any script; what a system forbids gives way, and the hash tells clips apart.
    assert file_name("собака/лай 1.wav").startswith("собака__лай_1-")
    assert file_name("狗/1.wav") == "狗__1"
    assert len(file_name("狗" * 200 + ".wav").encode()) < 140


def test_the_axis_is_in_hz():
    map_TF = np.zeros((5, 8), np.float32)
    centres = [100 * 1.5**band for band in range(8)]
    upper = draw_figure("title", map_TF, map_TF, [], 0.02, "dB", centres).axes[0]
    assert upper.get_ylabel() == "frequency in Hz"
    assert [label.get_text() for label in upper.get_yticklabels()] == ["125", "250", "500", "1000"]
    # 150 Hz is the centre of band 1, so that 125 Hz is between bands 0 and 1.
    assert upper.get_yticks()[0] == pytest.approx(0.5)


def test_without_a_clip_one_of_every_class_is_rendered(tiny_yaml: str, tmp_path: Path):
    files = write_previews(load_text(tiny_yaml, "t").config, [], [1], tmp_path / "out", False)
    pictures = [path.name for path in files if path.suffix == ".png"]
    assert pictures == ["high__0-epoch1.png", "low__0-epoch1.png", "mid__0-epoch1.png", "noise__0-epoch1.png"]


def test_a_sound_of_no_class_is_rendered_too(tiny_yaml: str, tmp_path: Path):
    (tmp_path / "other").mkdir()
    soundfile.write(tmp_path / "other" / "sweep.wav", np.sin(np.linspace(0, 300, 8000) ** 2), 8000)
    config = load_text(tiny_yaml, "t", [f"dataset.other={(tmp_path / 'other').as_posix()}"]).config
    names = {file.name for file in write_previews(config, [], [1], tmp_path / "pictures", force=False)}
    (picture,) = (name for name in names if name.endswith(".png") and "sweep" in name)
    again = write_previews(config, ["other:sweep.wav"], [1], tmp_path / "one", force=False)
    assert picture in {file.name for file in again}
    assert len(again) == 4


def test_centres_of_bands_follow_the_mel_scale():
    from audiosurvey.features.mel import MelConfig, MelFrontEnd
    from audiosurvey.runs.rendering import _centres_hz

    config = MelConfig(f_min=0, n_mels=20, win_length=0.128, hop_length=0.01)
    centres = _centres_hz(MelFrontEnd(config, 16_000), 16_000)
    top = 2595 * np.log10(1 + 8000 / 700)
    expected = 700 * (10 ** (top * np.arange(1, 21) / 21 / 2595) - 1)
    np.testing.assert_allclose(centres, expected, rtol=0.06)
