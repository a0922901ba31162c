"""Mean ranks over data sets: the worked example of the paper, and when there are none."""

import pytest
from scipy import stats

from audiosurvey.comparison.compare import compare_paths
from audiosurvey.comparison.leaderboard import CompareOptions
from audiosurvey.comparison.output.page import comparison_page


def survey(make_survey, datasets: int):
    found = {}
    for number in range(datasets):
        for place, accuracy in enumerate((0.9, 0.7, 0.4)):
            found["abc"[place], 100 * number + place] = {"dataset": f"set {number}", "accuracy": accuracy}
    return compare_paths([make_survey(found)], CompareOptions())


def test_five_data_sets(make_survey):
    found = survey(make_survey, 5)
    assert found.ranks == {"a": 1, "b": 2, "c": 3}
    # q(0.05) for three models is 2.343 (table 5a of the paper)
    assert found.critical_difference == pytest.approx(2.343 * (3 * 4 / (6 * 5)) ** 0.5, rel=1e-3)
    scores = [[model.score.mean for model in one.models] for one in found.datasets]
    assert found.friedman_p == pytest.approx(stats.friedmanchisquare(*zip(*scores, strict=True)).pvalue)
    assert "critical difference" in comparison_page(found)


def test_fewer_data_sets_have_no_ranks(make_survey):
    found = survey(make_survey, 4)
    assert found.ranks == {}
    assert found.critical_difference is None
