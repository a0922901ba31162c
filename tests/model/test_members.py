"""`model.members`: an ensemble is its members side by side, with the mean of their logits; `join: features`."""

from typing import Any

import pytest
import torch

from audiosurvey.errors import Fault
from audiosurvey.model.describe import describe
from audiosurvey.model.faults import shape_faults
from audiosurvey.model.grammar import ModelConfig
from audiosurvey.model.network import Network, build_network
from audiosurvey.training.optimizer import layer_rates

MEL = (1, 12, 8)
BLOCKS: list[dict[str, Any]] = [
    {"conv_block": {"channels": 6, "layers": 1}},
    {"residual": {"channels": 8}},
    {"pooling": {"mode": "avg", "flat": False}},
]


def network(members: int, blocks: list[dict[str, Any]] = BLOCKS, **keys: Any) -> Network:
    config = ModelConfig.model_validate({"blocks": blocks, "members": members, **keys})
    return build_network(config, input_shape=MEL, classes=3, seed=0, standardize="batch_norm")


def heard(clips: int = 4) -> torch.Tensor:
    return torch.randn(clips, *MEL, generator=torch.Generator().manual_seed(1))


def alone(ensemble: Network, member: int) -> Network:
    """The member as a network of its own, put together by hand."""
    own = network(1).train(ensemble.training)
    first = member * 4
    for place in range(3):
        own.blocks[place].load_state_dict(ensemble.blocks[first + 1 + place].state_dict())
    own.classifier.weight.data = ensemble.classifier.weight[:, member * 8 : member * 8 + 8].clone()
    own.classifier.bias.data = ensemble.classifier.bias.clone()
    return own


@pytest.mark.parametrize("training", [False, True])
def test_its_logits_are_the_mean_of_those_of_each_member_alone(training: bool) -> None:
    ensemble = network(3).train(training)
    expected = torch.stack([alone(ensemble, member)(heard()) for member in range(3)], dim=1)
    torch.testing.assert_close(ensemble.member_logits(heard()), expected)
    torch.testing.assert_close(ensemble(heard()), expected.mean(1))
    assert (expected[:, 0] - expected[:, 1]).abs().max() > 0.01


def test_the_loss_of_one_member_moves_no_other() -> None:
    ensemble = network(2)
    ensemble.member_logits(heard())[:, 1].square().sum().backward()
    moved = {place for place, block in enumerate(ensemble.blocks) if any(map(any_of, block.parameters()))}
    assert moved == {5, 6}
    weight = ensemble.classifier.weight.grad
    assert weight is not None
    assert not any_of(ensemble.classifier.weight, slice(0, 8))
    assert weight[:, 8:].abs().min() > 0


def any_of(value: torch.Tensor, columns: slice = slice(None)) -> bool:
    return value.grad is not None and bool((value.grad[..., columns] != 0).any())


def test_one_member_is_a_plain_network() -> None:
    plain = build_network(ModelConfig.model_validate({"blocks": BLOCKS}), input_shape=MEL, classes=3, seed=0)
    assert [key for key in plain.state_dict() if key.startswith("blocks.3")] == []
    assert torch.equal(plain.eval().member_logits(heard())[:, 0], plain(heard()))


def test_cost_is_that_of_a_member_so_many_times() -> None:
    one, three = (describe(network(members), MEL, 3) for members in (1, 3))
    shared = 2 * 8 + 3  # the norm of the bands, and the classifier's bias
    assert three.parameters - shared == 3 * (one.parameters - shared)
    assert three.macs == 3 * one.macs


def test_views_and_recomputing_go_with_it() -> None:
    ensemble = network(2, views=2).eval()
    turned = torch.cat([heard()[:, :, 6:], heard()[:, :, :6]], dim=2)
    expected = (network(2).eval()(heard()) + network(2).eval()(turned)) / 2
    torch.testing.assert_close(ensemble(heard()), expected)
    gradients = []
    for recompute in (False, True):
        trained = network(2).train()
        trained.use_checkpoint = recompute
        trained.member_logits(heard()).square().sum().backward()
        gradients.append({name: value.grad for name, value in trained.named_parameters()})
    torch.testing.assert_close(*gradients)


def test_layer_decay_counts_in_each_member() -> None:
    ensemble = network(2)
    rates = layer_rates(ensemble, 0.5)
    of_block = {place: {rates[p] for p in ensemble.blocks[place].parameters()} for place in (1, 2, 5, 6)}
    assert of_block == {1: {0.25}, 2: {0.5}, 5: {0.25}, 6: {0.5}}
    assert {rates[p] for p in ensemble.standardize.parameters()} == {0.25}


def test_a_list_of_shares_gives_each_member_its_own() -> None:
    ensemble = network(3, [{"relative": [0, 0.3, 1]}, *BLOCKS]).eval()
    assert [blocks[1].share for blocks in ensemble.blocks_by_member()] == [0, 0.3, 1]  # behind `input: mel`
    before, after = ensemble.member_logits(heard()), ensemble.member_logits(heard() + torch.arange(8.0))
    moved_M = (before - after).abs().amax(dim=(0, 2))
    assert moved_M[2] < 1e-5 < moved_M[1]  # the last hears no filter over the whole clip


def test_one_share_is_for_all_members() -> None:
    assert {blocks[1].share for blocks in network(2, [{"relative": 0.5}, *BLOCKS]).blocks_by_member()} == {0.5}


@pytest.mark.parametrize("members", [1, 2, 4])
def test_a_list_of_another_length_is_refused(members: int) -> None:
    with pytest.raises(ValueError, match=r"blocks\.0 \(relative\) lists values for 3 members; set members: 3"):
        network(members, [{"relative": [0, 0.3, 1]}, *BLOCKS])


@pytest.mark.parametrize(
    ("blocks", "index"),
    [
        ([*BLOCKS, {"conv_block": {"channels": 4, "layers": 1}}], 3),
        ([{"input": "mel"}, *BLOCKS, {"conv_block": {"channels": 4, "layers": 1}}], 4),
        (BLOCKS[:2], 1),
        ([{"input": "mel"}, *BLOCKS[:2]], 2),
    ],
)
def test_a_fault_is_where_it_was_written(blocks: list[dict[str, Any]], index: int) -> None:
    config = ModelConfig.model_validate({"blocks": blocks, "members": 3})
    (fault,) = shape_faults(config, MEL)
    assert isinstance(fault, Fault)
    assert fault.path == ("model", "blocks", index)
    assert "pooling" in fault.message


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"blocks": [{"input": "mel"}, *BLOCKS, {"join": "features"}]}, "cannot be combined with a `join` block"),
        ({"blocks": BLOCKS, "freeze": 1}, "an ensemble supports only `freeze: body`, without thaw"),
        (
            {"blocks": BLOCKS, "freeze": "body", "thaw": [{"epoch": 2}]},
            "an ensemble supports only `freeze: body`, without thaw",
        ),
        ({"blocks": BLOCKS, "members": 0}, "greater than or equal to 1"),
    ],
)
def test_what_does_not_go_with_it(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ModelConfig.model_validate({"members": 2, **keys})


def test_features_of_unlike_branches_side_by_side() -> None:
    blocks = [
        {"input": "mel"},
        {"pooling": {"mode": "avg", "flat": False}},
        {"input": "mel"},
        *BLOCKS,
        {"join": "features"},
    ]
    joined = build_network(ModelConfig.model_validate({"blocks": blocks}), input_shape=MEL, classes=3, seed=0).eval()
    first = joined.blocks[1](heard())
    second = joined.blocks[5](joined.blocks[4](joined.blocks[3](heard())))
    assert torch.equal(joined.embed(heard()), torch.cat([first, second], dim=1))
