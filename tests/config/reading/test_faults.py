import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiosurvey.config.reading.document import read
from audiosurvey.config.reading.faults import lines, nearest, refuse
from audiosurvey.errors import Fault, UserError

KEYS = ["p", "lr", "min_snr_db", "max_snr_db", "hop_length", "win_length", "batch_size", "grad_clip_norm"]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("min_snr", "min_snr_db"),
        ("max_snr", "max_snr_db"),
        ("hop-length", "hop_length"),
        ("Batch Size", "batch_size"),
        ("batchsize", "batch_size"),
        ("grad_clip", "grad_clip_norm"),
        ("lrr", "lr"),
        ("q", None),
        ("zebra", None),
        ("", None),
        (5, None),
    ],
)
def test_the_nearest_word(word: object, meant: str | None) -> None:
    assert nearest(word, KEYS) == meant


@given(st.sampled_from([key for key in KEYS if len(key) > 4]), st.data())
def test_one_wrong_letter_is_always_near(key: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(key) - 1))
    letter = data.draw(st.sampled_from("abcxyz"))
    assert nearest(key[:at] + letter + key[at + 1 :], KEYS) is not None


def test_lines_are_in_the_order_of_the_file_and_told_once() -> None:
    document = read("a: 1\nb: {c: 2}\n", "my config.yaml")
    document.overrides += ["x", "a.b"]
    document.places["a", "b"] = "a.b"
    document.places["x",] = "x"
    faults = [Fault(("a", "b"), "one"), Fault(("x",), "two"), Fault(("b", "c"), "three"), Fault(("a",), "four")]
    assert lines(document, [*faults, *faults]) == (
        "my config.yaml:1: a: four",
        "my config.yaml:2: b.c: three",
        "--set x: two",
        "--set a.b: one",
    )


def test_refuse_raises_all_or_nothing() -> None:
    document = read("a: 1\n", "config.yaml")
    refuse(document, [])
    with pytest.raises(UserError) as caught:
        refuse(document, [Fault(("a",), "one"), Fault((), "two")])
    assert caught.value.lines == ("config.yaml:1: a: one", "config.yaml:1: two")
