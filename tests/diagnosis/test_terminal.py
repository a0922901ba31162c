"""The audit in words: the sum, and what of many findings is shown."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from audiosurvey.data.table import Table
from audiosurvey.diagnosis.audit import Diagnosis
from audiosurvey.diagnosis.finding import Finding, sort_findings
from audiosurvey.diagnosis.terminal import finding_text, print_diagnosis, summary


def diagnosis(*findings: Finding) -> Diagnosis:
    return Diagnosis(Table("folder", Path("x"), (), ()), {}, sort_findings(list(findings)))


def printed(some: Diagnosis, *, everything: bool = False) -> str:
    console = Console(file=io.StringIO(), width=100)
    print_diagnosis(some, console, everything=everything)
    return console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]


def test_the_sum() -> None:
    assert summary(diagnosis()) == "no findings"
    some = diagnosis(Finding("silent", "spoils a result", ("a",), "x"), Finding("clipped", "note", ("b",), "y"))
    assert summary(some) == "found: 1 would spoil a result, 0 worth a look, 1 for the record"


def test_clips_are_named_and_many_counted() -> None:
    assert finding_text(Finding("overlap", "note", tuple("abcde"), "overlap")) == "a, b, c and 2 more: overlap"
    assert finding_text(Finding("level", "note", tuple("abcde"), "'dog' is loud", class_name="dog")) == "'dog' is loud"


def test_the_worst_are_shown_and_the_others_on_demand() -> None:
    some = diagnosis(*(Finding("clipped", "worth a look", (f"clip{n}",), f"{n}%", weight=n) for n in range(9)))
    short, long = printed(some), printed(some, everything=True)
    assert [f"clip{n}" in short for n in range(9)] == [False] * 6 + [True] * 3
    assert "... and 6 more" in short
    assert all(f"clip{n}" in long for n in range(9))
    assert short.index("clip8") < short.index("clip6")


@pytest.mark.parametrize("name", ["[red]x[/red]", "[/]", "a\\[b"])
def test_a_name_is_no_markup(name: str) -> None:
    assert name in printed(diagnosis(Finding("silent", "spoils a result", (name,), "x")))
