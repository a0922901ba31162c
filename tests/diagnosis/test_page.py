"""The page of the doctor: what is on it, and that it stays small."""

import base64
import html
import io
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiosurvey.data.dataset import DatasetConfig
from audiosurvey.diagnosis.audit import Diagnosis, audit_dataset
from audiosurvey.diagnosis.page import SOUNDS_A_CHECK, audit_page


@pytest.fixture(scope="module")
def clipped(tmp_path_factory: pytest.TempPathFactory) -> Diagnosis:
    """Two classes of twelve clips of 6 s, all with their tops cut off."""
    root = tmp_path_factory.mktemp("sounds")
    rng = np.random.default_rng(0)
    for n in range(24):
        (root / "ab"[n % 2]).mkdir(exist_ok=True)
        soundfile.write(root / "ab"[n % 2] / f"{n}.wav", np.clip(3 * rng.standard_normal(6 * 8000), -1, 1), 8000)
    return audit_dataset(DatasetConfig(name="folder", root=root))


def test_sounds_can_be_played_and_are_limited(clipped: Diagnosis) -> None:
    made = audit_page(clipped)
    uris = re.findall(r'<audio [^>]*src="data:audio/\w+;base64,([^"]+)"', made)
    assert len(uris) == SOUNDS_A_CHECK
    wave, rate = soundfile.read(io.BytesIO(base64.b64decode(uris[0])))
    assert (rate, len(wave) / rate) == (8000, pytest.approx(5, abs=0.2))
    assert 0.3 < np.sqrt(np.mean(wave**2)) <= 1
    assert "... and 9 more" in made


def test_plots_are_pictures(clipped: Diagnosis) -> None:
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', audit_page(clipped))
    assert len(pictures) == 5
    assert all(base64.b64decode(picture)[:4] == b"\x89PNG" for picture in pictures)


@pytest.mark.parametrize("name", ["<script>alert(1)<", "{{ 7 * 791937 }}", "{% raw %}", '" onload="x'])
def test_names_on_the_page_are_text(name: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for folder in (name, "other"):
        (tmp_path / folder).mkdir()
        for number in range(3):
            wave = np.clip(3 * rng.standard_normal(8000), -1, 1)
            soundfile.write(tmp_path / folder / f"{number}{name}.wav", wave, 8000)
    made = audit_page(audit_dataset(DatasetConfig(name="folder", root=tmp_path, num_folds=3)))
    assert html.escape(name, quote=False) in html.unescape(made).replace("&", "&amp;").replace("<", "&lt;").replace(
        ">", "&gt;"
    )
    assert "<script" not in made
    assert 'onload="x' not in made
    shown = re.sub(r"<style>.*?</style>", "", made, flags=re.DOTALL)
    assert "5543559" not in re.sub(r'src="data:[^"]*"|d="M[^"]*"', "", shown)
