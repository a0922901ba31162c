"""What was heard is known again by content, in any cut, and by source, whatever it is called."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiosurvey.data.splits.provenance import Provenance, TrainedClip
from audiosurvey.data.splits.recordings import file_of
from audiosurvey.data.table import Clip


class Files(dict[str, str]):
    """Digests by clip id; a digest with a `~` is followed by that of the samples."""

    def digest(self, clip_id: str) -> str:
        return self[clip_id].split("~")[0]

    def samples_digest(self, clip_id: str) -> str | None:
        return self[clip_id].partition("~")[2] or None


def clip(name: str, source: str | None = None, everywhere: bool = True) -> Clip:
    return Clip(name, Path(name), (0,), source=source, global_source=everywhere)


HEARD = Provenance.of([clip("a", "7"), clip("b"), clip("c", "day1", False)], Files(a="f1~s1", b="f2#1.0-2.0", c="f5"))


@pytest.mark.parametrize(
    ("digest", "source", "known"),
    [
        ("f1", None, True),
        ("f1#0.0-1.5", "8", True),
        ("f2", None, True),
        ("f2#3.0-None", None, True),
        ("f3", "7", True),
        ("f3", None, False),
        ("f3", "8", False),
        ("f", "1", False),
        ("f4~s1", None, True),
        ("f4~s2", None, False),
        ("f4", "day1", False),
        ("f9", "file:f1", True),
        ("f9", "file:f2", True),
        ("f9", "file:f3", False),
    ],
    ids=[
        "file",
        "cut of it",
        "whole of a cut",
        "other cut",
        "source",
        "no source",
        "other source",
        "part of a digest",
        "the same samples in another format",
        "other samples",
        "a source that is a file name elsewhere",
        "cut out of the file",
        "cut out of a file of which a stretch is known",
        "cut out of another file",
    ],
)
def test_a_recording_is_known_again(digest: str, source: str | None, known: bool):
    assert HEARD.known([clip("new", source)], Files(new=digest)) == ({"new"} if known else set())


def test_a_source_derived_from_a_file_name_counts_within_its_data_set_only():
    others = [clip("x/0600.wav", "0600", False), clip("y", "7", False)]
    heard = Provenance.of([clip("0600.wav", "0600", False), clip("z", "7")], Files({"0600.wav": "f1", "z": "f2"}))
    assert heard.known(others, Files({"x/0600.wav": "f3", "y": "f4"})) == set()
    # One clip of the recording is the same file: so is the recording, with all its clips.
    more = [*others, clip("x/0600b.wav", "0600", False)]
    contents = Files({"x/0600.wav": "f1", "x/0600b.wav": "f9", "y": "f4"})
    assert heard.known(more, contents) == {"x/0600.wav", "x/0600b.wav"}


def test_nothing_is_known_to_the_deaf():
    assert not Provenance({}).known([clip("a", "7")], Files(a="f1"))


def test_stages_are_told_apart_and_joined():
    both = HEARD.under("init") | Provenance({"a": TrainedClip("f9")})
    assert both.clips == {
        "init/a": TrainedClip("f1", "7", "s1"),
        "init/b": TrainedClip("f2#1.0-2.0"),
        "init/c": TrainedClip("f5"),
        "a": TrainedClip("f9"),
    }
    assert both.known([clip("x")], Files(x="f9"))
    assert both.known([clip("x")], Files(x="f2"))


texts = st.text(min_size=1, max_size=5)


@given(st.dictionaries(texts, st.builds(TrainedClip, texts, st.none() | texts, st.none() | texts), max_size=3))
def test_json_keeps_it(clips: dict[str, TrainedClip]):
    assert Provenance.from_json(json.loads(json.dumps(Provenance(clips).as_json()))) == Provenance(clips)


@pytest.mark.parametrize("value", [{"a": 3}, {"a": ["f", 3]}, {"a": ["f", None]}, {"a": []}, ["a"], 3])
def test_json_of_something_else_is_refused(value: object):
    with pytest.raises((ValueError, TypeError)):
        Provenance.from_json(value)  # type: ignore[arg-type]


def test_the_file_of_a_digest():
    assert (file_of("ab"), file_of("ab#0.0-1.0")) == ("ab", "ab")


def test_a_file_is_known_by_what_was_cut_out_of_it() -> None:
    cut = Provenance.of([clip("cut", "file:f1")], Files(cut="f7"))
    recordings = [clip("whole"), clip("part", "day1", False), clip("other"), clip("again", "file:f1")]
    files = Files(whole="f1", part="f1#2.0-3.0", other="f2", again="f8")
    assert cut.known(recordings, files) == {"whole", "part", "again"}
