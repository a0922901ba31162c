"""What was heard is known again by content, in any cut, and by source, whatever it is called."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiosurvey.data.heard import Heard, file_of
from audiosurvey.data.table import Clip


class Files(dict[str, str]):
    """Digests by clip id."""

    def digest(self, clip_id: str) -> str:
        return self[clip_id]


def clip(name: str, source: str | None = None) -> Clip:
    return Clip(name, Path(name), (0,), source=source)


HEARD = Heard.of([clip("a", "7"), clip("b")], Files(a="f1", b="f2#1.0-2.0"))


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
    ],
    ids=["file", "cut of it", "whole of a cut", "other cut", "source", "no source", "other source", "part of a digest"],
)
def test_a_recording_is_known_again(digest: str, source: str | None, known: bool):
    assert HEARD.knows(clip("new", source), Files(new=digest)) == known


def test_nothing_is_known_to_the_deaf():
    assert not Heard({}).knows(clip("a", "7"), Files(a="f1"))


def test_stages_are_told_apart_and_joined():
    both = HEARD.under("init") | Heard({"a": ("f9", None)})
    assert both.clips == {"init/a": ("f1", "7"), "init/b": ("f2#1.0-2.0", None), "a": ("f9", None)}
    assert both.knows(clip("x"), Files(x="f9"))
    assert both.knows(clip("x"), Files(x="f2"))


texts = st.text(min_size=1, max_size=5)


@given(st.dictionaries(texts, st.tuples(texts, st.none() | texts), max_size=3))
def test_json_keeps_it(clips: dict[str, tuple[str, str | None]]):
    assert Heard.from_json(json.loads(json.dumps(Heard(clips).as_json()))) == Heard(clips)


@pytest.mark.parametrize("value", [{"a": 3}, {"a": ["f", 3]}, {"a": []}, ["a"], 3])
def test_json_of_something_else_is_refused(value: object):
    with pytest.raises((ValueError, TypeError)):
        Heard.from_json(value)  # type: ignore[arg-type]


def test_the_file_of_a_digest():
    assert (file_of("ab"), file_of("ab#0.0-1.0")) == ("ab", "ab")
