"""What paths, folders and patterns mean, in which order, and what is named though it is no sound."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiosurvey.data.audio.decoding import BadAudio
from audiosurvey.errors import UserError
from audiosurvey.prediction.sources import FileSource, find_sources


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("b.wav", "a.FLAC", "deep/er/c.wav", "deep/d.wav", ".hidden.wav", "__MACOSX/e.wav"):
        path = Path("sounds", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        format = "FLAC" if name.endswith("FLAC") else "WAV"
        soundfile.write(path, np.zeros(10), 8000, format=format)
    Path("sounds", "notes.txt").write_text("no sound")
    return tmp_path


def names(*words: str) -> list[str]:
    return [Path(source.name).as_posix() for source in find_sources(words)]


def test_a_folder_is_every_sound_file_below_it_in_order(folder):
    assert names("sounds") == ["sounds/a.FLAC", "sounds/b.wav", "sounds/deep/d.wav", "sounds/deep/er/c.wav"]


def test_each_file_once_in_the_order_of_the_words(folder):
    assert names("sounds/deep/d.wav", "sounds", str(folder / "sounds" / "b.wav")) == [
        "sounds/deep/d.wav",
        "sounds/a.FLAC",
        "sounds/b.wav",
        "sounds/deep/er/c.wav",
    ]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("sounds/*.wav", ["sounds/b.wav"]),
        ("sounds/**/*.wav", ["sounds/b.wav", "sounds/deep/d.wav", "sounds/deep/er/c.wav"]),
        ("sounds/d*", ["sounds/deep/d.wav", "sounds/deep/er/c.wav"]),
        ("sounds/[ab].*", ["sounds/a.FLAC", "sounds/b.wav"]),
    ],
)
def test_patterns_that_the_shell_left_alone(folder, pattern, found):
    assert names(pattern) == found
    assert [Path(name).name for name in names(str(folder / pattern))] == [Path(name).name for name in found]


def test_a_name_that_looks_like_a_pattern_is_a_name(folder):
    Path("take [1].wav").write_bytes(Path("sounds/b.wav").read_bytes())
    assert names("take [1].wav") == ["take [1].wav"]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("nowhere.wav", "nowhere.wav: no such file or folder"),
        ("sounds/*.ogg", "no file matches this pattern"),
        ("empty", "no sound files in this folder"),
    ],
)
def test_words_that_mean_nothing_are_one_line(folder, word, said):
    Path("empty").mkdir()
    with pytest.raises(UserError, match=said) as error:
        find_sources([word])
    assert len(error.value.lines) == 1


def test_what_looks_like_a_sound_is_listed_and_says_what_it_is(folder):
    Path("sounds/folder.wav").mkdir()
    Path("sounds/phone.m4a").write_bytes(b"....ftypM4A ")
    Path("sounds/lost.wav").symlink_to("nowhere.wav")
    reasons = {}
    for source in find_sources(["sounds"]):
        try:
            list(source.blocks(8000, "mean"))
        except BadAudio as bad:
            reasons[Path(source.name).name] = bad.reason
    assert reasons["folder.wav"] == "is a folder"
    assert reasons["lost.wav"] == "a link to a missing file"
    assert reasons["phone.m4a"] == "truncated: 12 of 774778414 bytes according to its header"
    assert len(reasons) == 3


def test_a_folder_named_like_a_sound_with_sounds_in_it_is_a_folder(folder):
    Path("sounds/take.wav").mkdir()
    Path("sounds/take.wav/x.wav").write_bytes(Path("sounds/b.wav").read_bytes())
    assert "sounds/take.wav/x.wav" in names("sounds")
    assert "sounds/take.wav" not in names("sounds")


def test_a_link_to_its_own_folder_is_followed_once(folder):
    Path("sounds/deep/again").symlink_to(Path("..").resolve() / folder / "sounds", target_is_directory=True)
    assert len(names("sounds")) == 4


@pytest.mark.parametrize(("rate", "wanted"), [(8000, 16000), (16000, 32000), (11025, 22050)])
def test_the_length_at_any_rate(tmp_path, rate, wanted):
    soundfile.write(tmp_path / "a.wav", np.zeros((16000, 2)), 8000)
    source = FileSource(tmp_path / "a.wav", "a")
    assert source.length(rate) == wanted
    assert source.seconds() == 2
    assert sum(map(len, source.blocks(rate, "mean"))) == wanted


def test_an_unreadable_file_has_no_seconds(tmp_path):
    (tmp_path / "a.wav").write_text("no")
    assert FileSource(tmp_path / "a.wav", "a").seconds() is None
