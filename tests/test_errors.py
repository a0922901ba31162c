"""Errors name arguments as Python does, and as the command line does."""

from pathlib import Path

from audiosurvey.errors import ArgumentError


def test_an_argument_is_named_in_both_forms():
    error = ArgumentError("a.pt2: give {trust} or another {device}", trust=True, device="cuda")
    assert error.lines == ("a.pt2: give trust=True or another device='cuda'",)
    assert error.flag_lines == ("a.pt2: give --trust or another --device cuda",)
    assert str(error) == error.lines[0]


def test_units_dashes_and_names_without_a_value():
    error = ArgumentError("{min_gap_s}, {output}, {rate}: no", min_gap_s=0.5, output=Path("a/b"), rate=...)
    assert error.lines == ("min_gap_s=0.5, output='a/b', rate: no",)
    assert error.flag_lines == ("--min-gap 0.5, --output a/b, --rate: no",)
