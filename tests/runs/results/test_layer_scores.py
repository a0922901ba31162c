"""Scores of an encoder's layers: their table, and means over folds."""

import pytest

from audiosurvey.runs.results.layer_scores import layer_scores, layers_csv, mean_layers


def test_means_over_folds() -> None:
    one, other = layer_scores([0.25, 0.75], [0.5, 0.9]), layer_scores([0.75, 0.25], [0.7, 0.5])
    mean = mean_layers([one, other])
    assert [(row.layer, row.weight, row.score) for row in mean] == [
        (0, 0.5, pytest.approx(0.6)),
        (1, 0.5, pytest.approx(0.7)),
    ]
    assert mean_layers([one, []]) == mean_layers([]) == []
    assert [row.score for row in mean_layers([layer_scores([1.0]), layer_scores([1.0], [0.5])])] == [None]


def test_the_table_has_the_metric_of_the_data() -> None:
    assert layers_csv(layer_scores([0.25, 0.75])) == "layer,weight\n0,0.250000\n1,0.750000\n"
    several = layer_scores([0.25, 0.75], [0.5, 1.0], multi_label=True)
    assert layers_csv(several) == "layer,weight,map\n0,0.250000,0.500000\n1,0.750000,1.000000\n"
