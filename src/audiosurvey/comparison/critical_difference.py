"""Mean ranks over data sets and Nemenyi's critical difference, for five data sets or more.

Source: Demsar 2006 ("Statistical comparisons of classifiers over multiple data sets"), section 3.2.2.
"""

import math
from dataclasses import replace

import numpy as np

from audiosurvey.comparison.result import Comparison

LEAST_DATASETS, _LEAST_MODELS = 5, 3


def critical_difference(comparison: Comparison, alpha: float = 0.05) -> Comparison:
    """Adds the mean ranks of the models that are on all data sets, the critical difference, and Friedman's p.

    Unchanged with fewer than five data sets or three models.
    """
    from scipy import stats

    datasets = comparison.datasets
    if len(datasets) < LEAST_DATASETS:
        return comparison
    scores = [{model.name: model.score.mean for model in dataset.models} for dataset in datasets]
    names = [name for name in scores[0] if all(name in one for one in scores)]
    if len(names) < _LEAST_MODELS:
        return comparison
    scores_DM = np.array([[one[name] for name in names] for one in scores])
    ranks_M = stats.rankdata(-scores_DM, axis=1).mean(axis=0)
    models = len(names)
    studentised = float(stats.studentized_range.ppf(1 - alpha, models, math.inf)) / math.sqrt(2)
    order = np.argsort(ranks_M, kind="stable")
    return replace(
        comparison,
        ranks={names[index]: float(ranks_M[index]) for index in order},
        critical_difference=studentised * math.sqrt(models * (models + 1) / (6 * len(datasets))),
        friedman_p=float(stats.friedmanchisquare(*scores_DM.T).pvalue),
    )
