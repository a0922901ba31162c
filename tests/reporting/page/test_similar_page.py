"""The page of a search by sound."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

import audiosurvey
from audiosurvey.artefact.load import load
from audiosurvey.embeddings.similar import SimilarSound, SimilarSounds
from audiosurvey.prediction.sources import FileSource
from audiosurvey.reporting.page.similar_page import similar_page


def test_the_page_shows_and_plays_what_was_found(finished_run: Path, tones: Path, tmp_path: Path):
    page = tmp_path / "page.html"
    (tmp_path / "a<b>.wav").write_bytes((tones / "low" / "0.wav").read_bytes())
    model = finished_run / "fold-1" / "model"
    found = audiosurvey.similar(model, tmp_path / "a<b>.wav", tones, number=4, page=page)
    text = page.read_text(encoding="utf-8")
    assert "<h1>Sounds like a&lt;b&gt;.wav</h1>" in text
    cards = re.findall(r'<article class="card".*?</article>', text, flags=re.S)
    assert len(cards) == 1 + len(found) == 5
    for rank, (hit, card) in enumerate(zip(found, cards[1:], strict=True), 1):
        assert f"<h3>{rank}. {Path(hit.name).name}</h3><b>{hit.similarity:.3f}</b>" in card
        assert '<img alt="Mel spectrogram of' in card
    assert [int(number) for number in re.findall(r'data-sound="(\d+)"', text)] == [0, 1, 2, 3, 4]
    assert not re.search(r'(src|href)="(?!data:)', text)


def test_a_window_of_a_long_recording_is_shown_with_its_time(model_of: Callable[..., Any], tmp_path: Path):
    model = model_of("tiny")
    rng = np.random.default_rng(0)
    wave_S = 0.1 * rng.standard_normal(40 * 16000)
    soundfile.write(tmp_path / "long.wav", wave_S, 16000)
    found = audiosurvey.similar(
        model, tmp_path / "long.wav", tmp_path / "long.wav", start_s=10, end_s=15, page=tmp_path / "page.html"
    )
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    (hit,) = found
    times = [f"0:00:{at_s:04.1f}" for at_s in (hit.start_s, hit.end_s)]
    assert "0:00:10.0 to 0:00:15.0" in text
    assert hit.end_s <= 10 or hit.start_s >= 15
    assert hit.start_s == 0 or " to ".join(times) in text


def test_what_cannot_be_read_any_more_is_said(finished_run: Path, tones: Path, tmp_path: Path):
    gone, there = FileSource(tmp_path / "gone.wav", "gone.wav"), FileSource(tones / "low" / "0.wav", "low")
    found = SimilarSounds(("low",), (SimilarSound("gone.wav", 0, 0.5, 0.5),), 1)
    text = similar_page(load(finished_run / "fold-1" / "model"), found, [there], [gone])
    assert "file not found" in text


def test_a_few_queries_are_shown(finished_run: Path, tones: Path):
    queries = [FileSource(tones / "low" / f"{number % 6}.wav", f"low/{number}.wav") for number in range(9)]
    found = SimilarSounds(tuple(source.name for source in queries), (), 1)
    text = similar_page(load(finished_run / "fold-1" / "model"), found, queries, [])
    assert "<h1>Sounds like 0.wav, 1.wav, 2.wav and 6 more</h1>" in text
    assert text.count('<article class="card"') == 6
    assert "and 3 more</p>" in text
    assert ">Queries</h2>" in text
