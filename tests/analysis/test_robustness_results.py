"""Means over folds, corruption errors and the order of severities, by hand."""

from pathlib import Path

import pytest

from audiosurvey.analysis.robustness_results import (
    FILE,
    CorruptionScores,
    FoldRobustness,
    RobustnessResults,
    averaged,
    compare_with,
    read_robustness,
    severity_score,
    standard_error,
)
from audiosurvey.errors import UserError
from audiosurvey.runs.results.stored import write_json

ABOUT = {"version": "1", "suite": 1, "data_hash": "abc", "sample_rate": 8000, "metric": "accuracy"}


def fold(number: int, clean: float, noise: list[float], mp3: list[float], clips: int = 100) -> FoldRobustness:
    def cell(severity: int, score: float):
        made = severity_score(severity, 10.0 * severity, score, 0.1, clean=clean if severity else None)
        return made.changed(standard_error=standard_error(score, clips))

    def row(name: str, scores: list[float], in_mean: bool) -> CorruptionScores:
        cells = [cell(place + 1, score) for place, score in enumerate(scores)]
        return CorruptionScores(name=name, title=name, quantity="dB", in_mean=in_mean, cells=cells)

    rows = [row("noise", noise, True), row("mp3", mp3, False)]
    return FoldRobustness(fold=number, clips=clips, model="m", seconds=1.0, clean=cell(0, clean), corruptions=rows)


def results(*folds: FoldRobustness) -> RobustnessResults:
    return averaged(ABOUT, folds)


def test_means_by_hand():
    found = results(fold(2, 0.8, [0.6, 0.2], [0.8, 0.8]), fold(1, 1.0, [0.8, 0.6], [1.0, 1.0]))
    assert [one.fold for one in found.folds] == [1, 2]
    assert found.clean.score == pytest.approx(0.9)
    assert [cell.score for cell in found.corruptions[0].cells] == pytest.approx([0.7, 0.4])
    assert found.corruptions[0].cells[1].relative_loss == pytest.approx(5 / 9)
    assert found.corruptions[0].cells[1].standard_error == pytest.approx((0.4 * 0.6 / 200) ** 0.5)
    assert found.mean_score == pytest.approx(0.55)
    assert found.mean_relative_loss == pytest.approx((2 / 9 + 5 / 9) / 2)
    assert found.seconds == 2.0


def test_corruption_errors_by_hand(tmp_path: Path):
    ours, theirs = results(fold(1, 0.9, [0.8, 0.6], [0.9, 0.9])), results(fold(1, 0.9, [0.6, 0.2], [0.9, 0.7]))
    write_json(tmp_path / FILE, theirs.as_json())
    assert read_robustness(tmp_path) == theirs
    compared = compare_with(ours, tmp_path)
    # (0.2 + 0.4) / (0.4 + 0.8), and (0.1 + 0.1) / (0.1 + 0.3), which is not in the mean.
    assert compared.corruption_errors == pytest.approx({"noise": 0.5, "mp3": 0.5})
    assert compared.mean_corruption_error == pytest.approx(0.5)


def test_a_baseline_without_errors_has_no_ratio(tmp_path: Path):
    write_json(tmp_path / FILE, results(fold(1, 1.0, [1.0, 1.0], [1.0, 1.0])).as_json())
    compared = compare_with(results(fold(1, 0.9, [0.8, 0.6], [0.9, 0.9])), tmp_path)
    assert compared.corruption_errors == {"noise": None, "mp3": None}
    assert compared.mean_corruption_error is None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"data_hash": "other"}, "other data"),
        ({"metric": "map"}, "other data"),
        ({"suite": 2}, "another version"),
        ({"sample_rate": 16000}, "at 16000 Hz instead of 8000 Hz; give a run with the same sample rate"),
        ({"sample_rate": None}, "unknown sample rate; run 'audiosurvey robustness"),
    ],
)
def test_what_cannot_be_compared(tmp_path: Path, change: dict, told: str):
    one = fold(1, 0.9, [0.8, 0.6], [0.9, 0.9])
    write_json(tmp_path / FILE, averaged(ABOUT | change, [one]).as_json())
    with pytest.raises(UserError, match=told) as caught:
        compare_with(results(one), tmp_path)
    assert len(caught.value.lines) == 1
    write_json(tmp_path / FILE, results(one).as_json())
    with pytest.raises(UserError, match="fold 2 was not measured"):
        compare_with(results(one, fold(2, 0.9, [0.8, 0.6], [0.9, 0.9])), tmp_path)


def test_severities_out_of_order():
    # A standard error of an accuracy of 0.5 over 100 clips is 0.05.
    assert results(fold(1, 0.9, [0.5, 0.54], [0.9, 0.9])).out_of_order() == []
    found = results(fold(1, 0.9, [0.5, 0.56], [0.94, 0.9])).out_of_order()
    assert [(row.name, cell.severity) for row, cell in found] == [("noise", 2), ("mp3", 1)]


def test_other_schemas_and_damage(tmp_path: Path):
    assert read_robustness(tmp_path) is None
    write_json(tmp_path / FILE, {"schema": 99})
    with pytest.raises(UserError, match="schema 99"):
        read_robustness(tmp_path)
    (tmp_path / FILE).write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match="damaged"):
        read_robustness(tmp_path)
