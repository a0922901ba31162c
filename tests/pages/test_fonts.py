import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from audiosurvey.pages import fonts
from audiosurvey.pages.fonts import drawable, drawable_names, families
from audiosurvey.reporting.figures import confusion_figure


@pytest.fixture
def only_the_default(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine with no other font than matplotlib's own."""
    monkeypatch.setattr(fonts, "_installed", list)
    fonts._fallbacks.cache_clear()
    yield
    fonts._fallbacks.cache_clear()


@pytest.mark.parametrize("name", ["dog", "собака", "σκύλος", "Hündin", "עורב", "rock_ptarmigan"])
def test_names_that_the_default_font_has_stay(name: str, only_the_default: None):
    assert drawable(name) == name
    assert families(name) == ["DejaVu Sans"]


def test_other_scripts_become_latin_letters(only_the_default: None):
    assert [drawable(name) for name in ("कुत्ता", "กา", "猫", "개 2")] == ["kutta", "ka", "Mao", "Gae 2"]
    assert drawable("dog 猫 собака") == "dog Mao собака"
    assert drawable("\udcff") == "\\udcff"


def test_names_that_become_equal_are_numbered(only_the_default: None):
    assert drawable_names(["猫", "貓", "dog"]) == ["Mao (1)", "Mao (2)", "dog"]
    assert drawable_names(["dog", "cat"]) == ["dog", "cat"]


def test_an_installed_font_with_the_letters_is_used(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fonts, "_installed", lambda: [("Serif", "serif.ttf"), ("Asian", "asian.ttf")])
    letters = {"serif.ttf": frozenset(map(ord, "abc")), "asian.ttf": frozenset(map(ord, "猫"))}
    monkeypatch.setattr(fonts, "_letters", lambda path: letters.get(path, frozenset(map(ord, "abcdefg"))))
    fonts._fallbacks.cache_clear()
    assert drawable("猫") == "猫"
    assert families("a猫") == ["DejaVu Sans", "Asian"]
    assert drawable("a猫 犬") == "a猫 Quan"
    fonts._fallbacks.cache_clear()


def test_pictures_have_no_boxes_and_no_warnings(tmp_path: Path):
    names = ["собака", "猫", "कुत्ता", "طائر", "กา"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        confusion_figure(np.eye(5, dtype=int).tolist(), names, "猫 und Hund").savefig(tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 1000
