"""Clips of one recording: by source, by file, by equal samples, and what is not one."""

from pathlib import Path

import pytest

from audiosurvey.data.splits.recordings import equal_contents, recordings_of
from audiosurvey.data.table import Clip


class Files(dict[str, str]):
    """Digests by clip id; a digest with a `~` is followed by that of the samples."""

    def digest(self, clip_id: str) -> str:
        return self[clip_id].split("~")[0]

    def samples_digest(self, clip_id: str) -> str | None:
        return self[clip_id].partition("~")[2] or None


def clip(name: str, source: str | None = None, *stretch: float, named: bool = False) -> Clip:
    start, end = stretch or (None, None)
    return Clip(name, Path(name), (0,), source=source, start_s=start, end_s=end, global_source=named)


CASES = {
    "nothing shared": ([clip("a"), clip("b")], Files(a="f1~s1", b="f2~s2"), False),
    "one source": ([clip("a", "x"), clip("b", "x")], Files(a="f1", b="f2"), True),
    "two sources": ([clip("a", "x"), clip("b", "y")], Files(a="f1", b="f2"), False),
    "copied file": ([clip("a"), clip("b")], Files(a="f1", b="f1"), True),
    "copy of another source": ([clip("a", "x"), clip("b", "y")], Files(a="f1", b="f1"), True),
    "WAV and FLAC": ([clip("a"), clip("b")], Files(a="f1~s1", b="f2~s1"), True),
    "silence twice": ([clip("a"), clip("b")], Files(a="f1", b="f2"), False),
    "two cuts of one file": (
        [clip("a", None, 0, 1), clip("b", None, 2, 3)],
        Files(a="f1#0.0-1.0", b="f1#2.0-3.0"),
        True,
    ),
    "cuts that the table says are of two recordings": (
        [clip("a", "x", 0, 1, named=True), clip("b", "y", 1, 2, named=True)],
        Files(a="f1#0.0-1.0", b="f1#1.0-2.0"),
        False,
    ),
    "such cuts that overlap": (
        [clip("a", "x", 0, 1, named=True), clip("b", "y", 0.9, 2, named=True)],
        Files(a="f1#0.0-1.0", b="f1#0.9-2.0"),
        True,
    ),
    "such a cut in a copy of the file": (
        [clip("a", "x", 0, 1, named=True), clip("b", "y", named=True)],
        Files(a="f1#0.0-1.0", b="f1"),
        True,
    ),
    "a cut in a file of its own, and the recording": (
        [clip("a", "file:f2", named=True), clip("b")],
        Files(a="f1", b="f2"),
        True,
    ),
    "a cut in a file of its own, and another recording": (
        [clip("a", "file:f2", named=True), clip("b")],
        Files(a="f1", b="f3"),
        False,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_one_recording(case: str) -> None:
    clips, contents, one = CASES[case]
    found = recordings_of(clips, contents)
    assert (found.get("a", "a") == found.get("b", "b")) is one
    assert recordings_of(clips[::-1], contents) == found


def test_links_are_followed_from_clip_to_clip() -> None:
    clips = [clip("a", "x"), clip("b", "x"), clip("c"), clip("d", "y"), clip("e")]
    contents = Files(a="f1", b="f2~s2", c="f3~s2", d="f3", e="f5")
    found = recordings_of(clips, contents)
    assert found == dict.fromkeys("abcd", "x")
    assert [[one.id for one in same] for same in equal_contents(clips, contents)] == [["b", "c", "d"]]


def test_copies_without_a_source_are_named_by_the_first() -> None:
    assert recordings_of([clip("b"), clip("a")], Files(a="f", b="f")) == dict.fromkeys("ab", "content of a")
