"""AdamS against Adam, by hand, and at dead gradients."""

import pytest
import torch
from torch import nn

from audiosurvey.training.adams import AdamS


def network() -> nn.Sequential:
    torch.manual_seed(5)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))


def steps(net: nn.Module, optimizer: torch.optim.Optimizer, number: int) -> None:
    for index in range(number):
        x = torch.randn(6, 3, generator=torch.Generator().manual_seed(index))
        optimizer.zero_grad()
        net(x).square().mean().backward()
        optimizer.step()


def test_without_decay_it_is_adam():
    ours, theirs = network(), network()
    steps(ours, AdamS(ours.parameters(), lr=0.01, weight_decay=0.0), 20)
    steps(theirs, torch.optim.Adam(theirs.parameters(), lr=0.01), 20)
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7)


def test_one_step_by_hand():
    """First step: m^ = g and v^ = g^2, so the step is lr * sign(g); the decay is lr * decay / rms(g) of each weight."""
    decayed, spared = nn.Parameter(torch.tensor([[2.0, -1.0]])), nn.Parameter(torch.tensor([5.0]))
    optimizer = AdamS([{"params": [decayed], "weight_decay": 0.03}, {"params": [spared], "weight_decay": 0.0}], lr=0.1)
    decayed.grad, spared.grad = torch.tensor([[3.0, -4.0]]), torch.tensor([12.0])
    optimizer.step()
    rms = ((9 + 16 + 144) / 3) ** 0.5
    keep = 1 - 0.1 * 0.03 / rms
    torch.testing.assert_close(decayed.detach(), torch.tensor([[2 * keep - 0.1, -1 * keep + 0.1]]))
    torch.testing.assert_close(spared.detach(), torch.tensor([4.9]))


def test_decay_falls_with_the_scale_of_the_gradients():
    """Ten times the gradients leave Adam's step as it is, and make the decay ten times weaker."""
    kept = []
    for scale in (1.0, 10.0):
        weight = nn.Parameter(torch.tensor([[1.0, 1.0]], dtype=torch.float64))
        optimizer = AdamS([weight], lr=0.1, weight_decay=0.01, eps=0.0)
        weight.grad = torch.tensor([[1.0, -1.0]], dtype=torch.float64) * scale
        optimizer.step()
        kept.append(float(1 - weight.detach().mean()))
    assert kept[0] == pytest.approx(10 * kept[1], rel=1e-4)


def test_dead_gradients_stay_finite():
    weight = nn.Parameter(torch.ones(2, 2))
    optimizer = AdamS([weight], lr=1e-9, weight_decay=1e-4)
    weight.grad = torch.zeros(2, 2)
    optimizer.step()
    assert torch.isfinite(weight).all()
