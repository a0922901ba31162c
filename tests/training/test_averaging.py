"""The average of the weights by hand."""

import pytest
import torch
from torch import nn

from audiosurvey.training.averaging import Average


def test_average_by_hand():
    layer = nn.Linear(1, 1, bias=False)
    layer.weight.data.fill_(0.0)
    average = Average(layer, decay=0.5)
    expected = 0.0
    for step in range(20):
        layer.weight.data.fill_(float(step))
        average.update(layer, step)
        keep = min(0.5, (1 + step) / (10 + step))
        expected = keep * expected + (1 - keep) * step
    assert float(average.network.weight) == pytest.approx(expected, rel=1e-5)


def test_statistics_are_averaged_and_counters_copied():
    norm = nn.BatchNorm1d(1)
    average = Average(norm, decay=0.9)
    norm(torch.tensor([[1.0], [3.0]]))
    average.update(norm, 0)
    assert 0 < float(average.network.running_mean) <= float(norm.running_mean)
    assert int(average.network.num_batches_tracked) == 1


def test_the_trained_network_is_left_alone():
    layer = nn.Linear(2, 2)
    before = layer.weight.detach().clone()
    average = Average(layer, decay=0.9)
    average.update(layer, 0)
    assert torch.equal(layer.weight, before)
    assert layer.weight.requires_grad
    assert not average.network.weight.requires_grad
