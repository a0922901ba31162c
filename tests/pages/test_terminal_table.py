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


def test_long_words_of_a_text_break_before_other_columns_give_way():
    columns = [Column("check", ("spoils a result\nunreadable",), "text"), Column("what", ("x" * 70 + " y",), "text")]
    shown = lines(columns)
    assert max(map(len, shown)) == 80
    assert any(line.startswith("spoils a result x") for line in shown)
    assert any(line.startswith("unreadable      x") for line in shown)


def test_a_cell_of_several_lines_is_as_wide_as_the_longest():
    assert fitted([Column("n", ("0.175\n-10 %",)), Column("what", ("one\nthree",), "text")], 80) == [5, 5]


def test_totals_are_set_off():
    columns = [Column("fold", ("1", "2", "mean"), "text"), Column("score", ("0.5", "0.7", "0.6"))]
    file = io.StringIO()
    Console(file=file, width=80).print(FittedTable(columns, totals=1))
    shown = [line.strip() for line in file.getvalue().splitlines()]
    assert shown == ["", "fold  score", "───────────", "1       0.5", "2       0.7", "", "mean    0.6", ""]


def test_rows_may_stand_apart():
    file = io.StringIO()
    Console(file=file, width=80).print(FittedTable([Column("a", ("1", "2"), "text")], spaced=True))
    assert [line.strip() for line in file.getvalue().splitlines()] == ["", "a", "─", "1", "", "2", ""]


def test_a_long_name_without_a_place_to_break_leaves_room_for_numbers():
    columns = [Column("row", ("n" * 80,), "name"), *(Column(title, ("0.8125",)) for title in ("score", "low", "high"))]
    shown = lines(columns)
    assert any(line.endswith("0.8125  0.8125  0.8125") for line in shown)
    assert max(map(len, shown)) <= 80


def test_verdicts_have_their_colour():
    file = io.StringIO()
    table = FittedTable([Column("verdict", ("worse",), "verdict")], {"worse": "red"})
    Console(file=file, width=80, force_terminal=True, color_system="standard").print(table)
    assert "\x1b[31mworse" in file.getvalue()


def test_a_line_of_a_text_has_its_style():
    file = io.StringIO()
    table = FittedTable([Column("check", ("note\nclips", "note that"), "text")], {"note": "red"})
    Console(file=file, width=80, force_terminal=True, color_system="standard").print(table)
    assert file.getvalue().count("\x1b[31mnote") == 1


@given(st.text(alphabet="ab1e-_/= ", max_size=60), st.integers(1, 40))
def test_no_letter_of_a_name_is_lost(name, width):
    assert "".join(broken(name, width)) == name


@pytest.mark.parametrize("width", [40, 60, 80])
def test_everything_fits_if_its_words_do(width):
    columns = [Column("model", ("some_name",), "name"), *(Column("long head", ("12 min",)) for _ in range(5))]
    assert sum(fitted(columns, width)) <= width
