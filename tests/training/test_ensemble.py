"""An ensemble in one network: a step does to each member what it would do to that member alone."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from audiosurvey.augment.chain import Chain
from audiosurvey.augment.settings import AugmentationConfig
from audiosurvey.augment.wave.shorten import ShortenConfig
from audiosurvey.data.batches.batches import Batch
from audiosurvey.data.table import Clip
from audiosurvey.model.grammar import ModelConfig
from audiosurvey.model.initial import make_classifier
from audiosurvey.model.network import Network, build_network
from audiosurvey.training.accelerator import make_accelerator
from audiosurvey.training.ensemble import belonging
from audiosurvey.training.loss import Loss, LossConfig
from audiosurvey.training.optimizer import OptimizerConfig, build_optimizer
from audiosurvey.training.settings import TrainConfig
from audiosurvey.training.step import TrainStep, read_results

PLAIN = AugmentationConfig(shorten=ShortenConfig(p=0))

FRAMES, BANDS, CLASSES, FEATURES = 6, 4, 3, 5
PLACES = (0, 1)  # of the blocks with weights, in a network alone


class Reshape(nn.Module):
    """In place of the front end: waves (B, S) as maps (B, 1, T, F)."""

    def forward(self, wave_BS: torch.Tensor) -> torch.Tensor:
        return wave_BS.reshape(-1, 1, FRAMES, BANDS)


CHAIN = Chain(
    AugmentationConfig(shorten=ShortenConfig(p=0)), seed=0, sample_rate=8000, train_clips=(), front_end=Reshape()
)


def network(members: int = 1) -> Network:
    blocks: list[dict[str, Any]] = [
        {"conv_block": {"channels": 4, "layers": 1}},
        {"conv_block": {"channels": FEATURES, "layers": 1}},
        {"pooling": {"mode": "avg"}},
    ]
    config = ModelConfig.model_validate({"blocks": blocks, "members": members})
    shape = (1, FRAMES, BANDS)
    return build_network(config, input_shape=shape, classes=CLASSES, seed=0, standardize="batch_norm").train()


def alone(ensemble: Network, member: int) -> Network:
    """The member as a network of its own."""
    own, blocks = network(), ensemble.blocks_by_member()[member]
    for place in PLACES:
        own.blocks[place].load_state_dict(blocks[1 + place].state_dict())
    own.standardize.load_state_dict(ensemble.standardize.state_dict())
    own.classifier.weight.data = ensemble.classifier.weight.unflatten(1, (-1, FEATURES))[:, member].detach().clone()
    own.classifier.bias.data = ensemble.classifier.bias.detach().clone()
    return own


def batch() -> Batch:
    clips = tuple(Clip(str(n), Path(str(n)), (n % CLASSES,)) for n in range(6))
    wave_BS = torch.randn(6, FRAMES * BANDS, generator=torch.Generator().manual_seed(0))
    target_BK = nn.functional.one_hot(torch.arange(6) % CLASSES, CLASSES).float()
    samples = FRAMES * BANDS
    draws = CHAIN.draw(clips, 1, samples=samples, valid_of=lambda clip: samples)
    return Batch(clips, wave_BS, torch.full((6,), samples), target_BK, draws)


def step(
    net: Network,
    steps: int = 1,
    momentum: float = 0.0,
    optimizer: torch.optim.Optimizer | None = None,
    lr: float = 0.5,
    **settings: Any,
) -> float:
    """Takes steps, of SGD where nothing else is given; gives the loss of the last."""
    trained = [p for p in net.parameters() if p.requires_grad]
    made = TrainStep(
        accelerator=make_accelerator("cpu", "fp32"),
        network=net,
        chain=CHAIN,
        loss=Loss(LossConfig(), multi_label=False),
        optimizer=optimizer or torch.optim.SGD(trained, lr=1.0, momentum=momentum),
        settings=TrainConfig(**settings),
        stream=(0, "train", 1),
    )
    group = [batch()] * settings.get("accum_iter", 1)
    return read_results([made(group, epoch=1, step=number, lr=lr) for number in range(steps)])[-1].loss


def shared(net: Network) -> list[nn.Parameter]:
    return [*net.standardize.parameters(), net.classifier.bias]


def assert_same_member(ensemble: Network, member: int, own: Network) -> None:
    seen = alone(ensemble, member)
    for (name, value), other in zip(seen.named_parameters(), own.parameters(), strict=True):
        if not any(value is part for part in shared(seen)):
            torch.testing.assert_close(value, other, rtol=1e-5, atol=1e-6, msg=name)


def test_a_step_of_sgd_moves_each_member_as_if_alone() -> None:
    ensemble = network(2)
    members = [alone(ensemble, member) for member in range(2)]
    loss, losses = step(ensemble), [step(own) for own in members]
    assert loss == pytest.approx(sum(losses) / 2)
    for member, own in enumerate(members):
        assert_same_member(ensemble, member, own)
    for together, *apart in zip(shared(ensemble), *map(shared, members), strict=True):
        torch.testing.assert_close(together, torch.stack([value.detach() for value in apart]).mean(0))


def keep_shared(*networks: Network) -> None:
    for net in networks:
        for part in shared(net):
            part.requires_grad_(False)


def test_accumulation_and_momentum_too() -> None:
    """Over several steps, where what is shared does not move."""
    ensemble = network(3)
    members = [alone(ensemble, member) for member in range(3)]
    keep_shared(ensemble, *members)
    for net in (ensemble, *members):
        step(net, steps=3, momentum=0.9, accum_iter=2)
    for member, own in enumerate(members):
        assert_same_member(ensemble, member, own)


def gradient_norm(net: Network) -> float:
    """Of the mean loss over the clips, by torch's own."""
    logits_BK = net(Reshape()(batch().wave_BS))
    loss = nn.functional.cross_entropy(logits_BK, batch().target_BK)
    trained = [value for value in net.parameters() if value.requires_grad]
    return float(torch.nn.utils.get_total_norm(torch.autograd.grad(loss, trained)))


def test_the_norm_of_each_member_is_clipped_by_itself() -> None:
    """The first member is above the bound, the second below."""
    ensemble = network(2)
    with torch.no_grad():
        ensemble.classifier.weight[:, :FEATURES] *= 20
    members, measured = ([alone(ensemble, member) for member in range(2)] for _ in range(2))
    keep_shared(ensemble, *members, *measured)
    above, below = map(gradient_norm, measured)
    bound = (above * below) ** 0.5
    assert below < 0.8 * bound < bound < 0.8 * above
    step(ensemble, grad_clip_norm=bound)
    for member, own in enumerate(members):
        step(own, grad_clip_norm=bound)
        assert_same_member(ensemble, member, own)


def adams(net: Network, decay: float = 0.01, *, decay_all: bool = False) -> torch.optim.Optimizer:
    config = OptimizerConfig(name="adams", decay_all=decay_all)
    return build_optimizer(net.parameters(), config, lr=0.01, weight_decay=decay, belonging=belonging(net))


def test_adams_scales_the_decay_of_each_member_by_its_own_gradients() -> None:
    """The gradients of the first member are ten times those of the second, so that its weights decay far less."""
    ensemble = network(2)
    with torch.no_grad():
        ensemble.classifier.weight[:, :FEATURES] *= 20
    members = [alone(ensemble, member) for member in range(2)]
    keep_shared(ensemble, *members)
    for net in (ensemble, *members):
        step(net, steps=3, lr=0.01, optimizer=adams(net))
    for member, own in enumerate(members):
        assert_same_member(ensemble, member, own)


def test_adams_moves_what_members_share_by_the_mean_of_what_each_would_do() -> None:
    """The first step by hand: every weight moves by the rate against its gradient's sign, the decay apart."""
    ensemble, rate, decay = network(2), 0.01, 0.1
    before = ensemble.classifier.bias.detach().clone() + 1
    with torch.no_grad():
        ensemble.classifier.weight[:, :FEATURES] *= 20
        ensemble.classifier.bias.copy_(before)
    step(ensemble, lr=rate, optimizer=adams(ensemble, decay, decay_all=True))
    common = [value.grad for value in shared(ensemble) if value.grad is not None]
    keep = []
    for member, blocks in enumerate(ensemble.blocks_by_member()):
        own = [value.grad for block in blocks for value in block.parameters() if value.grad is not None]
        assert ensemble.classifier.weight.grad is not None
        part_KN = ensemble.classifier.weight.grad[:, member * FEATURES : (member + 1) * FEATURES]
        squares_N = torch.cat([gradient.square().flatten() for gradient in (*own, part_KN, *common)])
        keep.append(1 - rate * decay / float(squares_N.mean().sqrt()))
    assert abs(keep[0] - keep[1]) > 0.001
    assert ensemble.classifier.bias.grad is not None
    expected = before * sum(keep) / 2 - rate * ensemble.classifier.bias.grad.sign()
    torch.testing.assert_close(ensemble.classifier.bias.detach(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("share", [0.5, 2.0])
def test_members_that_are_alike_are_clipped_as_one_alone_in_all_they_have(share: float) -> None:
    ensemble = network(2)
    first, second = ensemble.blocks_by_member()
    for place in PLACES:
        second[1 + place].load_state_dict(first[1 + place].state_dict())
    ensemble.classifier.weight.data[:, FEATURES:] = ensemble.classifier.weight.data[:, :FEATURES]
    own = alone(ensemble, 0)
    bound = share * gradient_norm(alone(ensemble, 0))
    step(ensemble, grad_clip_norm=bound)
    step(own, grad_clip_norm=bound)
    for member in range(2):
        torch.testing.assert_close(dict(alone(ensemble, member).named_parameters()), dict(own.named_parameters()))


@pytest.mark.parametrize("rule", ["he", "xavier", "fan_out", "eat"])
def test_a_classifier_begins_as_large_as_that_of_a_network_alone(rule: Any) -> None:
    one, four = (make_classifier(50 * members, 30, 0, rule, members) for members in (1, 4))
    assert four.weight.shape == (30, 200)
    assert torch.equal(four.weight[:, :50], one.weight)
    for part_KN in four.weight.unflatten(1, (4, 50)).unbind(1):
        assert float(part_KN.detach().std()) == pytest.approx(float(one.weight.detach().std()), rel=0.1)
