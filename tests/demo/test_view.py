"""The demo's HTML: true to the numbers, escaped, and without a word that refers to anything outside the page."""

import base64
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import audiosurvey
from audiosurvey.artefact.decision import Thresholds
from audiosurvey.demo.sound_analysis import SoundAnalysis
from audiosurvey.demo.view import error_html, model_html, round_steps, sound_html, text
from audiosurvey.features.mel import MelConfig
from audiosurvey.prediction.stream import WindowScores


def heard(**changes: Any) -> SoundAnalysis:
    given: dict[str, Any] = {
        "name": "street.wav",
        "seconds": 20.0,
        "outline_C2": np.array([[-0.5, 0.25], [-0.1, 0.5], [0.0, 0.0]], np.float32),
        "mel_TF": np.linspace(-80, 0, 60, dtype=np.float32).reshape(10, 6),
        "mel": MelConfig(n_mels=6, f_min=50, compression="db"),
        "sample_rate": 16000,
        "own_front_end": True,
        "scores": {"dog_bark": 0.75, "rain": 0.2, "siren": 0.05},
        "labels": ("rain", "dog_bark", "siren"),
        "answer": "dog_bark",
        "over_time": (),
    }
    return SoundAnalysis(**(given | changes))


def shown(sound: SoundAnalysis, *, top: int = 2, threshold: Any = None) -> str:
    return sound_html(sound, top=top, threshold=threshold, window_s=5)


def test_bars_are_as_long_as_their_scores_and_no_more_than_asked_for():
    page = shown(heard())
    assert '<p class="answer">dog bark</p>' in page
    rows = re.findall(r'class="label">([^<]+)</span><span class="bar"><i style="width:([\d.]+)%"', page)
    assert rows == [("dog bark", "75.00"), ("rain", "20.00")]
    assert 'class="score">0.750<' in page
    assert "siren" not in page


def test_of_exclusive_classes_the_threshold_of_the_best_one_is_marked():
    page = shown(heard(), threshold={"dog_bark": 0.8, "rain": 0.1})
    assert 'style="left:80.0%"' in page
    assert page.count('class="least"') == 1
    assert page.count('class="row below"') == 1
    # The thresholds of other classes decide nothing.
    assert 'class="least"' not in shown(heard(), threshold={"rain": 0.4})


def test_the_thresholds_of_means_are_marked_where_the_scores_are_means():
    own = Thresholds({"dog_bark": 0.8}, {"dog_bark": 0.7})
    assert 'style="left:80.0%"' in shown(heard(), threshold=own)
    assert 'style="left:70.0%"' in shown(heard(windows=4), threshold=own)


def test_a_threshold_is_marked_on_the_bars_and_greys_what_is_below():
    page = shown(heard(multi_label=True), threshold={"dog_bark": 0.0, "rain": 0.4})
    assert 'style="left:40.0%"' in page
    assert page.count('class="least"') == 1
    assert page.count('class="row below"') == 1
    assert "below" not in shown(heard(), threshold=0.1).replace("below is", "")


def test_the_outline_is_drawn_to_its_own_peak():
    (points,) = re.findall(r'polygon points="([^"]+)"', shown(heard()))
    assert points.split() == ["0,-0.500", "1,-1.000", "2,-0.000", "2,-0.000", "1,0.200", "0,1.000"]
    assert ">0.5<" in shown(heard())


def test_silence_is_drawn_without_a_warning():
    with np.errstate(all="raise"):
        assert "nan" not in shown(heard(outline_C2=np.zeros((3, 2)), mel_TF=np.full((10, 6), -100, np.float32)))


def test_the_picture_has_a_column_a_frame_and_low_bands_below():
    (encoded,) = re.findall(r"data:image/png;base64,([^\"]+)", shown(heard(mel_TF=np.tile(np.arange(6.0), (10, 1)))))
    with Image.open(io.BytesIO(base64.b64decode(encoded))) as image:
        assert image.size == (10, 6)
        grey = np.asarray(image.convert("L")).astype(int)
    assert (np.diff(grey[:, 0]) < 0).all()


def test_frequencies_stand_where_their_bands_are():
    # 62 bands on HTK's scale between 0 and 8 kHz: 1 kHz is 1000 mel of 2840, so (1000/2840 * 63 - 0.5) / 62 from below.
    page = shown(heard(mel=MelConfig(n_mels=62, f_min=0, f_max=8000), mel_TF=np.zeros((10, 62), np.float32)))
    (place,) = re.findall(r'top:([\d.]+)%">1k<', page)
    assert float(place) == pytest.approx(100 * (1 - (1000 / 2840.02 * 63 - 0.5) / 62), abs=0.1)


def test_the_course_of_a_long_sound_is_on_a_scale_that_holds_it():
    windows = tuple(WindowScores(at, at + 5, np.array([at / 100, 0.2, 0.01])) for at in (0.0, 7.5, 15.0))
    page = shown(heard(over_time=windows))
    lines = re.findall(r'polyline points="([^"]+)"', page)
    assert len(lines) == 3
    # The class with the highest score first; a score stands at the middle of its window.
    assert lines[0].split() == ["0.000,-0.2000", *(f"{at},-0.2000" for at in ("2.500", "10.000", "17.500", "20.000"))]
    assert lines[1].split()[1:4] == ["2.500,-0.0000", "10.000,-0.0750", "17.500,-0.1500"]
    assert ">0.25<" in page
    assert page.index("dog bark", page.index('class="legend"')) < page.index("rain", page.index('class="legend"'))
    assert "mean over windows of 5 s" in page
    assert "polyline" not in shown(heard())


@pytest.mark.parametrize(("length_s", "steps"), [(0.5, 0.1), (5, 1), (20, 5), (119, 20), (130, 30), (600, 120)])
def test_times_are_round_and_few(length_s: float, steps: float):
    times = round_steps(length_s)
    assert times[0] == 0
    assert np.diff(times) == pytest.approx(steps)
    assert 3 <= len(times) <= 8
    assert times[-1] <= length_s


@pytest.mark.parametrize(
    "name", ["<img src=x onerror=alert(1)>.wav", '"><script>', "{{value}}", "${alert(1)}", "`@children`"]
)
def test_names_are_words_and_never_markup_or_templates(name: str):
    page = shown(heard(name=name, scores={name: 1.0}, answer=name, labels=(name,))) + error_html(name)
    for sign in ("<img src=x", "<script", "{{", "${", "@children", '""'):
        assert sign not in page
    assert text(name) in page


def test_nothing_refers_to_another_place():
    page = shown(heard())
    assert not re.search(r"https?:|//|@import|url\(", re.sub(r"base64,[^\"]+", "", page))
    folder = Path(audiosurvey.__file__).parent / "demo"
    assert not re.search(r"https?:|@import|url\(", (folder / "demo.css").read_text(encoding="utf-8"))
    assert "http" not in (folder / "demo.js").read_text(encoding="utf-8")


def test_a_model_states_its_licences(finished_run: Path):
    model = audiosurvey.load(finished_run / "fold-1" / "model")
    page = model_html("fold-1", model)
    assert "4: high, low, mid, noise" in page
    assert "mono, 8000 Hz, windows of 0.5 s" in page
    assert re.search(r"<dt>licence</dt><dd>not stated</dd>", page)
    model.facts = model.facts | {
        "licence": {"weights": "CC BY-NC 3.0", "parts": {"clips": "CC BY-NC 3.0", "init": "MIT"}}
    }
    page = model_html("fold-1", model)
    assert "<dt>licence</dt><dd>CC BY-NC 3.0</dd>" in page
    assert "<dt>licence of init</dt><dd>MIT</dd>" in page
    model.facts = {"about": {"dataset": "esc50", "licence": "CC BY-NC 3.0", "caveats": ["optimistic"]}}
    page = model_html("fold-1", model)
    assert "<dd>CC BY-NC 3.0</dd>" in page
    assert "optimistic" in page
