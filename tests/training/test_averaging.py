"""The average of the weights by hand."""

import pytest
import torch
from torch import nn

from audiosurvey.training.averaging import Average, EvenAverage


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


def test_even_average_by_hand():
    layer = nn.Linear(1, 1, bias=False)
    average = EvenAverage(layer, first=2)
    seen = []
    for step, value in enumerate([1.0, 2.0, 3.0, 5.0, 10.0]):
        layer.weight.data.fill_(value)
        average.update(layer, step)
        seen.append(float(average.network.weight))
    # Until step 2 the network itself, then the mean of 3 and 5, then of 3, 5 and 10.
    assert seen == pytest.approx([1, 2, 3, 4, 6])
    assert [average.counts_anew(step) for step in range(5)] == [False, False, False, True, True]
    assert not Average(layer, decay=0.9).counts_anew(9)


def test_even_average_from_the_first_step_on():
    layer = nn.Linear(1, 1, bias=False)
    average = EvenAverage(layer, first=0)
    for step, value in enumerate([1.0, 4.0]):
        layer.weight.data.fill_(value)
        average.update(layer, step)
    assert float(average.network.weight) == pytest.approx(2.5)
