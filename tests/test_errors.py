"""Errors name arguments as Python does, and as the command line does."""

import pickle
from pathlib import Path

import pytest

from audiosurvey.errors import ArgumentError, Interrupted, UserError


def test_an_argument_is_named_in_both_forms():
    error = ArgumentError("a.pt2: give {trust} or another {device}", trust=True, device="cuda")
    assert error.lines == ("a.pt2: give trust=True or another device='cuda'",)
    assert error.flag_lines == ("a.pt2: give --trust or another --device cuda",)
    assert str(error) == error.lines[0]


def test_units_dashes_and_names_without_a_value():
    error = ArgumentError("{min_gap_s}, {output}, {rate}: no", min_gap_s=0.5, output=Path("a/b"), rate=...)
    assert error.lines == ("min_gap_s=0.5, output='a/b', rate: no",)
    assert error.flag_lines == ("--min-gap 0.5, --output a/b, --rate: no",)


@pytest.mark.parametrize("kind", [ArgumentError, Interrupted])
def test_a_place_in_front_reaches_both_forms_and_other_processes(kind: type[ArgumentError]):
    error = pickle.loads(pickle.dumps(kind("run: give another {run_dir}", "  more", run_dir=...))).at("fold 2")
    assert isinstance(error, kind)
    assert error.lines == ("fold 2: run: give another run_dir", "  more")
    assert error.flag_lines == ("fold 2: run: give another --run-dir", "  more")
    assert str(error) == "fold 2: run: give another run_dir\n  more"
    assert UserError("gone").at("a").lines == ("a: gone",)
