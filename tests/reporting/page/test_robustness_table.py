"""The table of robustness by hand: scores, changes, calibration, and what is not in the mean."""

from audiosurvey.analysis.robustness_results import (
    BaselineComparison,
    CorruptionScores,
    FoldRobustness,
    averaged,
    severity_score,
)
from audiosurvey.reporting.page.robustness_table import robustness_table

ABOUT = {"version": "1", "suite": 1, "data_hash": "abc", "sample_rate": 8000, "metric": "accuracy"}


def row(name: str, scores: list[float], *, in_mean: bool) -> CorruptionScores:
    cells = [severity_score(place, 10.0, score, 0.1 * place, clean=0.5) for place, score in enumerate(scores, 1)]
    return CorruptionScores(name=name, title=name.upper(), quantity="dB", in_mean=in_mean, cells=cells)


def test_values_are_text_on_the_page():
    rows = [row("noise", [0.35, 0.5], in_mean=True), row("mp3", [0.55, 0.5], in_mean=False)]
    fold = FoldRobustness(
        fold=2, clips=80, model="m", seconds=1.0, clean=severity_score(0, None, 0.5, 0.05, clean=None), corruptions=rows
    )
    results = averaged(ABOUT, [fold])
    found = robustness_table(results)
    assert [cell["text"] for cell in found["rows"][0]["cells"]] == ["0.350 (-30 %)", "0.500 (0 %)"]
    assert found["rows"][1]["cells"][0]["text"] == "0.550 (+10 %)"
    assert [one["calibration"] for one in found["rows"]] == ["0.150", "0.150"]
    assert "0.425 as the mean over 1 corruption and 2 severities (-15 %)" in found["summary"]
    assert "Not in the mean: MP3." in found["summary"]
    assert not found["compared"]
    baseline = BaselineComparison(
        run="runs/b", folds=[2], corruption_errors={"noise": 0.9, "mp3": None}, mean_corruption_error=0.9
    )
    found = robustness_table(results.changed(baseline=baseline))
    assert "Mean corruption error against runs/b, fold 2: 0.900 (below 1 is better)." in found["summary"]
    assert [one["error"] for one in found["rows"]] == ["0.900", "–"]
