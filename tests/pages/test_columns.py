"""Columns that say nothing are left out; those that say the same of all rows are said once."""

from audiosurvey.pages.columns import Column, same_line, shown_columns

NAMES = Column("model", ("a", "b"), "name")


def test_empty_and_equal_columns_are_left_out():
    seeds, score = Column("seeds", ("1", "1"), said_once=True), Column("score", ("5", "5"))
    nothing, some = Column("McNemar", ("-", ""), said_once=True), Column("sd", ("-", "2"))
    columns = [NAMES, seeds, score, nothing, some]
    assert shown_columns(columns) == [NAMES, score, some]
    assert same_line(columns) == "the same for all: seeds 1"


def test_one_row_has_nothing_to_be_equal_to():
    columns = [Column("model", ("-",), "name"), Column("seeds", ("1",), said_once=True)]
    assert shown_columns(columns) == columns
    assert same_line(columns) is None
