"""Batch-norm statistics counted anew: by hand, and nothing but them."""

import copy

import pytest
import torch
from torch import nn

from audiosurvey.training.statistics import count_statistics


def test_by_hand_over_batches_of_unlike_size():
    """Three clips of mean 2 and variance 1, then one batch of two of mean 10 and variance 8, and a stale start."""
    norm = nn.BatchNorm1d(1, momentum=0.3)
    norm(torch.tensor([[100.0], [300.0]]))
    batches = [torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([[8.0], [12.0]])]
    count_statistics(norm.eval(), batches, like=copy.deepcopy(norm).train())
    assert float(norm.running_mean) == pytest.approx((3 * 2 + 2 * 10) / 5)
    assert float(norm.running_var) == pytest.approx((3 * 1 + 2 * 8) / 5)
    assert norm.momentum == 0.3
    assert not norm.training


def test_weights_dropout_and_frozen_norms_stay_as_in_evaluation():
    torch.manual_seed(0)
    network = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout(0.5), nn.Linear(2, 2), nn.BatchNorm1d(2))
    trained = copy.deepcopy(network).train()
    trained[0].eval()
    before = copy.deepcopy(network.state_dict())
    x = torch.randn(64, 2) + 5
    count_statistics(network.eval(), [x], like=trained)
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"3.running_mean", "3.running_var", "3.num_batches_tracked"}
    # Without dropout, and with the first norm as it was.
    with torch.no_grad():
        torch.testing.assert_close(network[3].running_mean, network[2](network[0](x)).mean(0))


def test_a_network_without_norms_is_not_run():
    class Refusing(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise AssertionError

    count_statistics(Refusing(), [torch.zeros(1, 1)], like=Refusing())
