"""A run with a recorded background: never with test clips, noticed when it changes, the same for any readers."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from audiosurvey.data.sounds import prepare_sounds as prepare
from audiosurvey.errors import UserError
from audiosurvey.runs.background_recordings import checked_background
from audiosurvey.runs.experiment import open_experiment
from audiosurvey.runs.rendering import render_clip
from audiosurvey.runs.stages.stage import Stage
from audiosurvey.surveys.planning.opener import Opener
from audiosurvey.training.accelerator import make_accelerator


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "street").mkdir()
    for seed in range(3):
        wave_S = 0.1 * np.random.default_rng(seed).standard_normal(8000 * (seed + 1) // 2)
        soundfile.write(tmp_path / "street" / f"{seed}.wav", wave_S, 8000)
    return tmp_path / "street"


def override(folder: Path) -> str:
    return f"augmentation.background={{p: 1, folder: '{folder.as_posix()}'}}"


def test_clips_of_the_data_set_are_refused(tiny: Callable[..., Any], folder: Path) -> None:
    config = tiny(override(folder)).config
    sounds = prepare(config.dataset, config.sample_rate)
    assert checked_background(config, sounds) is not None
    assert checked_background(tiny().config, sounds) is None
    shutil.copy(sounds.table.clips[5].path, folder / "copy.wav")
    with pytest.raises(UserError, match=r"1 of its 4 recordings are clips of the data set, such as copy\.wav") as error:
        checked_background(config, sounds)
    assert len(error.value.lines) == 1


def test_files_that_are_left_out_are_told_of(tiny: Callable[..., Any], folder: Path) -> None:
    (folder / "bad.wav").write_bytes(b"no sound")
    config = tiny(override(folder)).config
    experiment = open_experiment(config, prepare(config.dataset, config.sample_rate))
    assert any("1 of 4 files in" in note and "bad.wav" in note for note in experiment.about.notes)


def test_batches_are_the_same_for_any_readers_and_in_preview(tiny: Callable[..., Any], folder: Path) -> None:
    rendered: list[tuple[str, torch.Tensor]] = []
    for workers in (0, 3):
        config = tiny(override(folder), f"train.num_workers={workers}").config
        sounds = prepare(config.dataset, config.sample_rate)
        accelerator = make_accelerator("cpu", "fp32")
        stage = Stage(
            config, sounds, sounds.table.clips, accelerator=accelerator, settings=config.train, name="train", fold=1
        )
        for batch in stage.batches.epoch(2):
            wave_BS, _ = stage.chain.render_waves(batch)
            rendered.append((batch.clips[0].id, wave_BS))
    half = len(rendered) // 2
    assert half > 1
    assert all(torch.equal(one, other) for (_, one), (_, other) in zip(rendered[:half], rendered[half:], strict=True))
    config = tiny(override(folder)).config
    clip_id, wave_BS = rendered[-1]
    shown = render_clip(config, prepare(config.dataset, config.sample_rate), clip_id, 2)
    np.testing.assert_allclose(shown["after"], wave_BS[0].numpy(), atol=1e-6)
    (drawn,) = [one for one in shown["drawn"] if one["operation"] == "background"]
    assert drawn["recording"] in ("0.wav", "1.wav", "2.wav")
    assert 5 <= drawn["snr_db"] <= 30


def test_a_changed_folder_is_noticed_on_resume(
    train_tiny: Callable[..., dict[str, Any]], folder: Path, tmp_path: Path
) -> None:
    train_tiny(tmp_path / "run", override(folder), folds=[1])
    begun = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert begun["background_hash"]
    train_tiny(tmp_path / "run", override(folder), folds=[1], resume=True)
    soundfile.write(folder / "0.wav", 0.1 * np.random.default_rng(9).standard_normal(4000), 8000)
    with pytest.raises(UserError, match=r"the recordings in .* changed since the run began"):
        train_tiny(tmp_path / "run", override(folder), folds=[2], resume=True)


def test_the_contents_are_part_of_the_key_of_a_cell(tiny: Callable[..., Any], folder: Path, tmp_path: Path) -> None:
    config = tiny(override(folder)).config
    before = Opener().key(config)
    assert before.background
    shutil.copytree(folder, tmp_path / "moved")
    assert Opener().key(tiny(override(tmp_path / "moved")).config) == before
    soundfile.write(folder / "0.wav", 0.1 * np.random.default_rng(9).standard_normal(4000), 8000)
    assert Opener().key(config) != before
    assert Opener().key(tiny().config).background is None
