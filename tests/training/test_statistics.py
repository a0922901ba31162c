"""Batch-norm statistics: how they begin, and how they are counted anew, by hand."""

import copy

import pytest
import torch
from torch import nn

from audiosurvey.model.grammar import ModelConfig
from audiosurvey.model.network import build_network
from audiosurvey.training.statistics import FirstBatches, count_statistics


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


def test_a_clip_is_seen_once_whatever_the_views_of_evaluation():
    """Turned in time a pooled map has other edges, and another mean behind the convolution."""
    blocks = [{"conv_block": {"channels": 4, "layers": 2}}, {"pooling": {"mode": "avg"}}]
    shown = [torch.randn(5, 1, 12, 8, generator=torch.Generator().manual_seed(0))]
    counted = []
    for views in (1, 4):
        config = ModelConfig.model_validate({"blocks": blocks, "views": views})
        network = build_network(config, input_shape=(1, 12, 8), classes=3, seed=0, standardize="batch_norm")
        count_statistics(network, shown, like=copy.deepcopy(network).train())
        assert network.views == views
        counted.append(dict(network.named_buffers()))
    torch.testing.assert_close(counted[1], counted[0], rtol=0, atol=0)


def test_a_network_without_norms_is_not_run():
    class Refusing(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise AssertionError

    count_statistics(Refusing(), [torch.zeros(1, 1)], like=Refusing())


def test_fresh_statistics_are_an_average_over_the_batches_alone():
    """Each batch counts three quarters of the next one: momentum 0.25, and nothing of mean 0 and variance 1."""
    norm = nn.BatchNorm1d(1, momentum=0.25)
    first = FirstBatches(nn.Sequential(norm))
    means = [4.0, 8.0, 12.0, 16.0, 20.0]
    for seen, mean in enumerate(means, 1):
        first.next_batch()
        norm(torch.tensor([[mean - 1], [mean + 1]]))
        shares = [0.75 ** (seen - batch) for batch in range(1, seen + 1)]
        expected = sum(share * value for share, value in zip(shares, means, strict=False)) / sum(shares)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        assert float(norm.running_mean) == pytest.approx(expected)
        assert float(norm.running_var) == pytest.approx(2)


def test_the_momentum_is_the_norms_own_in_the_end():
    norm = nn.BatchNorm1d(1, momentum=0.25)
    first = FirstBatches(norm)
    for _ in range(200):
        first.next_batch()
    assert norm.momentum == 0.25
    assert not first.seen


def test_statistics_that_are_there_already_are_kept():
    def counted(norm: nn.BatchNorm1d) -> float:
        FirstBatches(norm).next_batch()
        assert norm.momentum is not None
        return norm.momentum

    def norm(**buffers: float) -> nn.BatchNorm1d:
        made = nn.BatchNorm1d(1, momentum=0.01)
        for name, value in buffers.items():
            made.get_buffer(name).fill_(value)
        return made

    assert counted(norm()) == pytest.approx(1)
    assert counted(norm(num_batches_tracked=1)) == pytest.approx(0.01 / (0.01 + 0.99 * 0.01))
    assert counted(norm(num_batches_tracked=5000)) == 0.01
    # From a file without counters; frozen.
    assert counted(norm(running_mean=3)) == 0.01
    assert counted(norm().eval()) == 0.01
