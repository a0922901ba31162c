"""Groups of copies: connected components of pairs, and what is said of them, in time that grows with their number."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from audiosurvey.data.table import Clip, Table
from audiosurvey.diagnosis import duplicates


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)).filter(lambda pair: pair[0] < pair[1]), max_size=20))
def test_groups_are_connected_components(pairs: list[tuple[int, int]]) -> None:
    expected: list[set[int]] = [{member} for member in range(13)]
    for pair in pairs:
        joined = [group for group in expected if group.intersection(pair)]
        expected = [group for group in expected if group not in joined] + [set().union(*joined)]
    groups = duplicates._groups([(one, other, (0.1 * n, 0.0, 0.0)) for n, (one, other) in enumerate(pairs)])
    assert [members for members, _ in groups] == sorted((group for group in expected if len(group) > 1), key=min)
    for members, scores in groups:
        assert scores == [(0.1 * n, 0.0, 0.0) for n, (one, _) in enumerate(pairs) if one in members]


class Labels(tuple[int, ...]):
    """Labels that count how often they are compared."""

    compared = 0

    def __eq__(self, other: object) -> bool:
        Labels.compared += 1
        return super().__eq__(other)

    def __ne__(self, other: object) -> bool:
        Labels.compared += 1
        return super().__ne__(other)

    __hash__ = tuple.__hash__


def test_a_large_group_is_compared_with_its_first_clips_only() -> None:
    clips = [Clip(f"{n}", Path(f"{n}"), Labels((n == 499,)), fold=1) for n in range(500)]
    table = Table("own", Path(), ("a", "b"), tuple(clips))
    Labels.compared = 0
    finding = duplicates._group_finding(table, "duplicate", clips, "identical samples")
    assert Labels.compared < 2000
    assert finding.quarantine["0"] == "the same sound as 499, with other labels"
    assert finding.quarantine["499"] == "the same sound as 0, with other labels"
