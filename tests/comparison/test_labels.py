"""Short names of models: what tells them apart stays."""

from hypothesis import given
from hypothesis import strategies as st

from audiosurvey.comparison.labels import shortened


def test_names_with_room_stay():
    assert shortened(["toy_lr=0.001", "toy_lr=0.003"], [12, 20]) == ["toy_lr=0.001", "toy_lr=0.003"]


def test_the_shared_beginning_goes_first():
    assert shortened(["toy_lr=0.001", "toy_lr=0.003"], [8, 6]) == ["to…0.001", "…0.003"]


def test_then_the_middle_goes():
    assert shortened(["efficientat_mn04_as", "tiny"], [9, 9]) == ["effi…4_as", "tiny"]


def test_equal_names_get_a_number():
    names = ["one-aaaa-two", "one-bbbb-two", "x"]
    assert shortened(names, [7, 7, 7]) == ["1…", "2…", "x"]


@given(st.lists(st.text("ab_=01", min_size=1, max_size=30), min_size=1, max_size=6, unique=True), st.integers(4, 40))
def test_labels_fit_and_differ(names, most):
    found = shortened(names, [most] * len(names))
    assert all(len(label) <= most for label in found)
    assert len(set(found)) == len(found)
