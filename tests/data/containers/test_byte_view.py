"""Views: pieces of a file and bytes put in, read and sought like a file."""

import io

from hypothesis import given
from hypothesis import strategies as st

from audiosurvey.data.containers.byte_view import Part, View, Window

CONTENT = bytes(range(200))
PART = Part((b"head", (10, 30), b"-", (100, 160)))
WANTED = b"head" + CONTENT[10:30] + b"-" + CONTENT[100:160]


@given(st.integers(0, 90), st.integers(0, 90))
def test_a_view_is_its_pieces_one_after_the_other(place: int, count: int) -> None:
    view = View(io.BytesIO(CONTENT), PART)
    assert view.seek(0, 2) == len(WANTED) == PART.size
    view.seek(place)
    assert view.read(count) == WANTED[place : place + count]
    assert view.tell() == min(place + count, max(place, len(WANTED)))


def test_an_open_end_looks_far_and_ends_where_the_bytes_do() -> None:
    view = View(io.BytesIO(CONTENT), Part(((0, 200),), open_end=True))
    assert view.seek(0, 2) > 1 << 39
    assert view.seek(-128, 2) > 0
    assert view.read(128) == bytes(128)
    view.seek(190)
    assert view.read(20) == CONTENT[190:]
    assert view.read(20) == b""


@given(st.integers(0, 20), st.integers(1, 20))
def test_lifted_samples_move_to_the_top_of_their_containers(place: int, count: int) -> None:
    view = View(io.BytesIO(b"HEAD" + b"abc\xff" * 4), Part(((0, 20),), samples_at=4, width=4, lifted=1))
    view.seek(place)
    assert view.read(count) == (b"HEAD" + b"\0abc" * 4)[place : place + count]


def test_a_window_finds_what_lies_across_its_blocks() -> None:
    content = bytes(Window._SIZE - 2) + b"mark" + bytes(100)
    window = Window(io.BytesIO(content))
    assert window.find(b"mark", 0, window.size) == Window._SIZE - 2
    assert window.find(b"mark", Window._SIZE - 1, window.size) == -1
    assert window.find(b"mark", 0, Window._SIZE) == -1
    assert window.get(window.size - 3, 10) == bytes(3)
