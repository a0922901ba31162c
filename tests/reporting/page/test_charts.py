"""Charts: places of points and ticks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiosurvey.reporting.page.charts import Axis, Chart, Dot, Line, number


def test_points_lie_between_the_corners():
    axis = Axis.around("x", [], low=0, high=1)
    chart = Chart(
        "title", axis, axis, [Line([(0, 0), (1, 1)], "a", "name")], [Dot(0.5, 0.5, "b", "dot", low=0, high=1)]
    )
    assert chart.lines[0][0] == "52.0,238.0 426.0,12.0"
    x, y, ends, _ = chart.dots[0]
    assert (x, y) == ((chart.left + chart.right) / 2, (chart.top + chart.bottom) / 2)
    assert ends == (chart.bottom, chart.top)
    assert chart.legend == [("a", "name")]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=5))
def test_an_axis_contains_its_values(values: list[float]):
    axis = Axis.around("x", values)
    assert all(-1e-6 <= axis.share(value) <= 1 + 1e-6 for value in values)
    assert len(axis.ticks) >= 2


def test_a_line_of_one_point_is_a_dot():
    axis = Axis.around("x", [], low=0, high=1)
    chart = Chart("title", axis, axis, [Line([(0.5, 1)], "faint-a", "one"), Line([(0, 0), (1, 1)], "a", "two")])
    ((x, y, _, dot),) = chart.dots
    assert (x, y, dot.kind, dot.title) == ((chart.left + chart.right) / 2, chart.top, "faint-a", "one")


def test_equal_values_have_an_axis_too():
    assert Axis.around("x", [3, 3]).ticks
    assert Axis.around("epoch", [1], low=1, high=1, whole=True).ticks


@pytest.mark.parametrize(
    ("value", "text"), [(0.25, "0.25"), (0, "0"), (500, "500"), (5000, "5000"), (20_000, "20k"), (3.5e6, "3.5M")]
)
def test_numbers_are_short(value: float, text: str):
    assert number(value) == text
