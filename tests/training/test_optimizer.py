"""Which tensors decay, and one step by hand."""

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from audiosurvey.training.optimizer import OptimizerConfig, build_optimizer


def network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, 2))


def decays(optimizer: torch.optim.Optimizer) -> dict[int, float]:
    return {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}


@pytest.mark.parametrize("name", ["adamw", "adam", "adams", "sgd"])
def test_only_matrices_decay(name):
    net = network()
    decay = decays(build_optimizer(net.parameters(), OptimizerConfig(name=name), lr=0.1, weight_decay=0.5))
    for parameter in net.parameters():
        assert decay[id(parameter)] == (0.5 if parameter.ndim >= 2 else 0.0)
    assert len(decay) == len(list(net.parameters()))


def test_decay_all_is_the_originals():
    net = network()
    decay = decays(build_optimizer(net.parameters(), OptimizerConfig(decay_all=True), lr=0.1, weight_decay=0.5))
    assert set(decay.values()) == {0.5}


def test_frozen_tensors_stay_out():
    net = network()
    net[0].requires_grad_(False)
    decay = decays(build_optimizer(net.parameters(), OptimizerConfig(), lr=0.1, weight_decay=0.5))
    assert id(net[0].weight) not in decay


def test_first_adamw_step_by_hand():
    """The first step of Adam is lr times the gradient's sign; the decay takes lr * decay of the weight, apart."""
    weight = nn.Parameter(torch.tensor([[2.0, -1.0]]))
    optimizer = build_optimizer([weight], OptimizerConfig(), lr=0.1, weight_decay=0.5)
    weight.grad = torch.tensor([[3.0, -0.2]])
    optimizer.step()
    expected = torch.tensor([[2.0 * 0.95 - 0.1, -1.0 * 0.95 + 0.1]])
    torch.testing.assert_close(weight.detach(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_amsgrad_never_forgets_a_great_gradient(name):
    """With beta1 = beta2 = 0 Adam's step is lr times the sign; AMSGrad divides the second by the first's greatness."""
    config = OptimizerConfig(name=name, beta1=0.0, beta2=0.0, amsgrad=True)
    weight = nn.Parameter(torch.zeros(1, 1))
    optimizer = build_optimizer([weight], config, lr=1.0, weight_decay=0.0)
    for gradient, place in [(4.0, -1.0), (1.0, -1.25)]:
        weight.grad = torch.tensor([[gradient]])
        optimizer.step()
        assert weight.item() == pytest.approx(place, abs=1e-6)


@pytest.mark.parametrize("name", ["adams", "sgd"])
def test_amsgrad_is_refused_where_it_would_do_nothing(name):
    with pytest.raises(ValidationError, match="variant of adam and adamw"):
        OptimizerConfig(name=name, amsgrad=True)
