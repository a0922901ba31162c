"""Runs whose reports are looked at."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from audiosurvey.analysis import robustness

PATIENCE_S = 180
CLASSES = ("<script>alert(1)<", "$x$ {{ 7 * 7 }}", "Fledermäuse 音 & co")


@pytest.fixture(scope="session")
def named_run(train_tiny: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on classes and files with names that look like markup; all clips are noise, so that there are mistakes."""
    folder = tmp_path_factory.mktemp("named")
    rng = np.random.default_rng(0)
    for name in CLASSES:
        (folder / "sounds" / name).mkdir(parents=True)
        for number in range(6):
            wave = 0.1 * rng.standard_normal(4000)
            soundfile.write(folder / "sounds" / name / f'{number}"><img src=x onerror=alert(2)>.wav', wave, 8000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUDIOSURVEY_CACHE", str(folder / "cache"))
        train_tiny(folder / "run", f"dataset.root={(folder / 'sounds').as_posix()}", "augmentation.noise.p=1")
    return folder / "run"


@pytest.fixture
def run_copy(named_run: Path, tmp_path: Path) -> Path:
    """A copy of that run, to change."""
    shutil.copytree(named_run, tmp_path / "run")
    (tmp_path / "run" / "analysis").mkdir(exist_ok=True)
    return tmp_path / "run"


@pytest.fixture(scope="session")
def robustness_json(named_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The robustness of fold 1 of that run, with two corruptions, one of them outside the mean."""
    run = tmp_path_factory.mktemp("robust") / "run"
    shutil.copytree(named_run, run)
    quick = [one for one in robustness.corruptions() if one.name in ("white_noise", "muted")]
    some = [quick[0], replace(quick[1], in_mean=False)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(robustness, "corruptions", lambda: some)
        robustness.measure_robustness(run, [1], device="cpu")
    return run / "analysis" / "robustness.json"


@pytest.fixture(scope="session")
def browser(launch_browser: Callable[..., Any]) -> Any:
    """A context of headless Chromium that plays sounds."""
    context = launch_browser("--autoplay-policy=no-user-gesture-required").new_context()
    # Other programs may keep the machine busy.
    context.set_default_timeout(PATIENCE_S * 1000)
    return context
