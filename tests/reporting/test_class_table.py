"""The table of classes: worst first, at most ten, with means over all."""

import io
from typing import Any

from rich.console import Console

from audiosurvey.reporting.class_table import print_classes
from audiosurvey.runs.results.class_scores import ClassScores


def shown(by_class: dict[str, ClassScores], **options: Any) -> str:
    console = Console(file=io.StringIO(), width=80, highlight=False)
    print_classes(by_class, console, **({"multi_label": False} | options))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_worst_first_with_what_they_are_taken_for():
    by_class = {"dog": ClassScores.of(8, 9, 8, 1.0, 0.9), "cat": ClassScores.of(4, 3, 3, 0.5, 0.7)}
    lines = shown(by_class, confusion=[[8, 0], [1, 3]]).splitlines()
    assert lines[0] == "classes, worst first by F1"
    rows = [line.split() for line in lines if line.split()[:1] in (["dog"], ["cat"], ["mean"])]
    assert rows == [
        ["cat", "4", "0.750", "1.000", "0.857", "0.500", "0.700", "dog", "1"],
        ["dog", "8", "1.000", "0.889", "0.941", "1.000", "0.900"],
        ["mean", "0.875", "0.944", "0.899", "0.750", "0.800"],
    ]


def test_many_classes_are_cut_and_counted_in_the_mean():
    by_class = {f"class{at}": ClassScores.of(10, 10, at) for at in range(10)} | {
        name: ClassScores.of(10, 10, 10) for name in ("x", "y")
    }
    text = shown(by_class, more="; all are elsewhere")
    assert "… and 2 more classes; all are elsewhere" in text
    assert "class9" in text
    assert "x " not in text
    mean = next(line for line in text.splitlines() if line.startswith("mean"))
    assert mean.split()[1] == f"{(sum(range(10)) / 10 + 2) / 12:.3f}"


def test_eleven_classes_are_shown_whole():
    """One row less would save nothing: the line about it takes its place."""
    text = shown({f"class{at}": ClassScores.of(10, 10, at) for at in range(11)})
    assert "class10" in text
    assert "more" not in text


def test_never_predicted_counts_as_a_precision_of_zero_in_the_mean():
    lines = shown({"a": ClassScores.of(4, 8, 4), "b": ClassScores.of(4, 0, 0)}).splitlines()
    assert next(line for line in lines if line.startswith("b")).split() == ["b", "4", "0.000", "-", "0.000"]
    assert next(line for line in lines if line.startswith("mean")).split()[2] == "0.250"


def test_several_labels_by_average_precision():
    by_class = {"rain": ClassScores.of(4, 4, 4, 0.4), "wind": ClassScores.of(4, 0, 0, 0.8)}
    text = shown(by_class, multi_label=True)
    assert text.index("rain") < text.index("wind")
    assert "by average precision (AP)" in text


def test_results_without_scores_of_classes_have_no_table():
    assert shown({}) == ""
