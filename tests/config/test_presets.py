import pytest

from audiosurvey.config.presets import preset_names, preset_text, preset_titles


def test_names_are_those_of_the_files_and_none_twice() -> None:
    names = preset_names()
    assert "original" in names
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", preset_names())
def test_each_preset_says_in_its_first_lines_what_it_is(name: str) -> None:
    assert len(preset_titles()[name].split()) >= 5


def test_no_such_preset() -> None:
    with pytest.raises(KeyError):
        preset_text("nosuch")
