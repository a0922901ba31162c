"""Clips to see and hear."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from audiosurvey.config.loader import load_config
from audiosurvey.data.table import Clip
from audiosurvey.demo.view import frequency_ticks
from audiosurvey.reporting.page.clip_views import augmented_views, mistake_views
from audiosurvey.reporting.page.material import RunMaterial, gather
from audiosurvey.reporting.page.sound_bank import SoundBank
from audiosurvey.runs.listener import no_bar
from audiosurvey.runs.results.run_folder import RunFolder


@pytest.mark.parametrize("preset", ["wavegram-logmel-cnn14", "small"])
def test_augmented_clips_have_the_axes_of_the_spectrogram_that_was_rendered(preset: str):
    config = load_config(preset).config
    mel = config.heard_mel
    assert mel is not None
    clip = Clip(id="a.wav", path=Path("a.wav"), labels=(0,), fold=1)
    rng = np.random.default_rng(0)
    rendered = {
        "clip": clip,
        "epoch": 1,
        "before": np.zeros(100, np.float32),
        "after": np.zeros(100, np.float32),
        "sample_rate": config.sample_rate,
        "mel_before": rng.normal(size=(100, mel.n_mels)),
        "mel_after": rng.normal(size=(100, mel.n_mels)),
        "drawn": [],
    }
    material = cast("RunMaterial", SimpleNamespace(config=config, augmented=((rendered,),)))
    (found,) = augmented_views(material, SoundBank(0))
    for _, _, picture, _ in found.versions:
        assert picture.seconds == pytest.approx(100 * mel.hop_length, rel=1e-2)
        assert picture.frequencies == frequency_ticks(mel, config.sample_rate)


def test_findings_at_a_mistake_name_the_check_and_the_other_clip(run_copy: Path):
    material = gather(RunFolder(run_copy), no_bar)
    clip = material.mistakes[0].clip
    finding: dict[str, Any] = {"check": "near-duplicate", "severity": "spoils a result", "message": "agreement 0.95"}
    finding["clips"] = [clip, "other.wav"]
    of_class = {**finding, "check": "band-limit", "message": "class 'low' ends at 4 kHz"}
    note = {**finding, "severity": "note"}
    view = mistake_views(replace(material, audit={"findings": [of_class, finding, note]}), SoundBank(0))[0]
    (line,) = view.findings
    assert line == (f"the same recording twice: {clip}, other.wav: agreement 0.95")
