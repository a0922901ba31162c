"""Tables that fit: names stay whole while anything else can give way, and words never break."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from audiosurvey.pages.columns import Column
from audiosurvey.pages.terminal_table import FittedTable, broken, fitted


def lines(columns, width=80):
    console = Console(file=(file := io.StringIO()), width=width)
    console.print(FittedTable(columns))
    return file.getvalue().splitlines()


def test_headings_give_way_before_names():
    name = "a" * 20 + "=0.001"
    columns = [Column("model", (name,), "name"), *(Column("one two three", ("1.23 M",)) for _ in range(7))]
    shown = lines(columns)
    assert any(name in line and line.count("1.23 M") == 7 for line in shown)
    assert max(map(len, shown)) <= 80
    assert any("three" in line for line in shown)


def test_cells_give_way_between_words():
    columns = [Column("model", ("toy_lr=0.001-and-27-letters",), "name")]
    columns += [Column("interval", ("-12.3 to +45.6",)) for _ in range(5)]
    shown = lines(columns)
    assert any("toy_lr=0.001-and-27-letters" in line and line.count("-12.3") == 5 for line in shown)
    assert any(line.count("+45.6") == 5 for line in shown)


def test_long_names_break_at_their_parts():
    name = "runs/2026/efficientat_mn04_as-lr=1e-05-seed=12"
    assert broken(name, 32) == ["runs/2026/efficientat_mn04_as-", "lr=1e-05-seed=12"]
    assert broken("toy_lr=0.001", 32) == ["toy_lr=0.001"]
    assert "lr=1e-05-seed=12" in "\n".join(lines([Column("model", (name,), "name"), Column("n", ("1",))]))


def test_a_name_breaks_only_if_nothing_else_can_give_way():
    columns = [Column("model", ("first_second_third_fourth",), "name"), Column("a" * 60, ("1",))]
    assert fitted(columns, 79)[1] == 60
    assert fitted(columns, 79)[0] == 19


def test_a_wide_terminal_breaks_nothing():
    assert fitted([Column("one two", ("1",)), Column("model", ("m",), "name")], 200) == [7, 5]


def test_verdicts_have_their_colour():
    file = io.StringIO()
    table = FittedTable([Column("verdict", ("worse",), "verdict")], {"worse": "red"})
    Console(file=file, width=80, force_terminal=True, color_system="standard").print(table)
    assert "\x1b[31mworse" in file.getvalue()


@given(st.text(alphabet="ab1e-_/= ", max_size=60), st.integers(1, 40))
def test_no_letter_of_a_name_is_lost(name, width):
    assert "".join(broken(name, width)) == name


@pytest.mark.parametrize("width", [40, 60, 80])
def test_everything_fits_if_its_words_do(width):
    columns = [Column("model", ("some_name",), "name"), *(Column("long head", ("12 min",)) for _ in range(5))]
    assert sum(fitted(columns, width)) <= width
