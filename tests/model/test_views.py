"""`model.views`: what the views of a clip are, that features are their mean, and that training has none."""

from typing import Any

import pytest
import torch

from audiosurvey.model.describe import describe
from audiosurvey.model.grammar import ModelConfig
from audiosurvey.model.network import Network, build_network
from audiosurvey.model.views import mean_view, shifted_views

MEL, WAVE = (1, 12, 8), (1, 640)
MEL_BLOCKS: list[dict[str, Any]] = [
    {"conv_block": {"channels": 6, "layers": 1}},
    {"pooling": {"mode": "avg", "flat": False}},
]
WAVE_BLOCKS: list[dict[str, Any]] = [{"input": "wave"}, {"wave_conv": {"channels": 4}}, {"pooling": {"flat": False}}]
BOTH_BLOCKS: list[dict[str, Any]] = [
    {"input": "wave"},
    {"conv_block": {"channels": 16, "layers": 1, "kernel": [11, 1], "stride": [4, 1], "pool": [16, 1]}},
    {"channels_to_bands": 8},
    {"input": "mel"},
    {"conv_block": {"channels": 3, "layers": 1, "pool": [1, 1]}},
    {"join": "channels"},
    *MEL_BLOCKS,
]
CASES = [(MEL_BLOCKS, MEL), (WAVE_BLOCKS, WAVE), (BOTH_BLOCKS, (WAVE, (1, 10, 8)))]


def network(views: int, blocks: list[dict[str, Any]] = MEL_BLOCKS, shape: Any = MEL) -> Network:
    built = build_network(ModelConfig(blocks=blocks, views=views), input_shape=shape, classes=3, seed=0)
    return built.eval()


def heard(clips: int, shape: Any = MEL) -> Any:
    if isinstance(shape[0], tuple):
        return tuple(heard(clips, each) for each in shape)
    return torch.randn(clips, *shape, generator=torch.Generator().manual_seed(1))


def rolled(clips: Any, view: int, views: int) -> Any:
    if isinstance(clips, tuple):
        return tuple(rolled(each, view, views) for each in clips)
    return torch.roll(clips, -(view * clips.shape[2] // views), dims=2)


def test_turns_by_hand() -> None:
    clips_BCTF = torch.tensor([[0, 1, 2, 3, 4], [10, 11, 12, 13, 14]]).view(2, 1, 5, 1)
    views = shifted_views(clips_BCTF, 3)
    assert isinstance(views, torch.Tensor)
    # They begin at 0, 5 // 3 and 10 // 3; first all clips as they are.
    assert views.flatten(1).tolist() == [
        [0, 1, 2, 3, 4],
        [10, 11, 12, 13, 14],
        [1, 2, 3, 4, 0],
        [11, 12, 13, 14, 10],
        [3, 4, 0, 1, 2],
        [13, 14, 10, 11, 12],
    ]
    assert mean_view(torch.tensor([[1.0], [2.0], [3.0], [6.0]]), 2).tolist() == [[2.0], [4.0]]


@pytest.mark.parametrize(("blocks", "shape"), CASES)
@torch.no_grad()
def test_features_are_the_mean_over_the_views(blocks: list[dict[str, Any]], shape: Any) -> None:
    plain, several, clips = network(1, blocks, shape), network(5, blocks, shape), heard(3, shape)
    features = torch.stack([plain.embed(rolled(clips, view, 5)) for view in range(5)])
    assert (features[0] - features[1]).abs().max() > 1e-3
    torch.testing.assert_close(several.embed(clips), features.mean(dim=0))
    torch.testing.assert_close(several(clips), several.classifier(features.mean(dim=0)))


@torch.no_grad()
def test_scores_do_not_change_with_a_turn_by_a_view() -> None:
    several, clips = network(4), heard(3)
    torch.testing.assert_close(several(rolled(clips, 1, 4)), several(clips))


def test_training_is_as_without() -> None:
    clips = heard(4)
    gradients = []
    for views in (1, 4):
        trained = network(views).train()
        trained(clips).square().sum().backward()
        gradients.append([parameter.grad for parameter in trained.parameters()])
    for one, other in zip(*gradients, strict=True):
        assert torch.equal(one, other)


def test_macs_are_those_of_all_views() -> None:
    def macs(views: int) -> list[int]:
        return [row.macs for row in describe(network(views), MEL).layers]

    *body, classes = macs(1)
    assert macs(4) == [*(4 * count for count in body), classes]
