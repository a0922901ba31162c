"""Which tensors decay, and one step by hand."""

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from audiosurvey.model.grammar import ModelConfig
from audiosurvey.model.network import build_network
from audiosurvey.training.optimizer import OptimizerConfig, build_optimizer, layer_rates


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
def test_one_pass_over_a_tensor_is_the_plain_step(name):
    """Kernels laid out as in training, whose gradients and averages lie in memory as they do."""
    weights = []
    for fused in (True, False):
        torch.manual_seed(0)
        conv = nn.Conv2d(3, 5, 3).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        optimizer = build_optimizer(conv.parameters(), OptimizerConfig(name=name), lr=0.01, weight_decay=0.1)
        for group in optimizer.param_groups:
            assert group["fused"]
            group["fused"] = fused
        for _ in range(4):
            optimizer.zero_grad()
            conv(torch.randn(2, 3, 8, 8)).square().sum().backward()
            optimizer.step()
        weights.append(conv.weight.detach())
    torch.testing.assert_close(weights[0], weights[1], rtol=1e-5, atol=1e-6)


def test_rates_of_layers_by_hand():
    """Blocks without weights do not count; the standardisation goes with the first block."""
    blocks = [{"conv_block": {"channels": 4, "layers": 1}}, {"pooling": {"mode": "avg"}}, {"fc": 3}, {"dropout": 0.1}]
    config = ModelConfig.model_validate({"blocks": blocks})
    net = build_network(config, input_shape=(1, 8, 6), classes=2, seed=0, standardize="batch_norm")
    rates = layer_rates(net, 0.5)
    for part, rate in ((net.classifier, 1), (net.blocks[2], 0.5), (net.blocks[0], 0.25), (net.standardize, 0.25)):
        parameters = list(part.parameters())
        assert parameters
        assert {rates[parameter] for parameter in parameters} == {rate}
    assert len(rates) == len(list(net.parameters()))


def test_each_rate_has_its_groups_and_the_decay_stays_where_it_was():
    net = network()
    rates = dict.fromkeys(net[0].parameters(), 0.5)
    config = OptimizerConfig(name="sgd", momentum=0)
    optimizer = build_optimizer(net.parameters(), config, lr=0.1, weight_decay=0.5, rates=rates)
    assert [(group["rate"], group["lr"], group["weight_decay"]) for group in optimizer.param_groups] == [
        (1.0, 0.1, 0.5),
        (1.0, 0.1, 0.0),
        (0.5, 0.05, 0.5),
        (0.5, 0.05, 0.0),
    ]
    before = {parameter: parameter.detach().clone() for parameter in net.parameters()}
    for parameter in net.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    for parameter, value in before.items():
        rate = 0.1 * rates.get(parameter, 1.0)
        decayed = value * (1 - rate * 0.5) if parameter.ndim >= 2 else value
        torch.testing.assert_close(parameter.detach(), decayed - rate)


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
    with pytest.raises(ValidationError, match="only adam and adamw support amsgrad, not"):
        OptimizerConfig(name=name, amsgrad=True)
