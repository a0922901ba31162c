"""Standardisation of the mel bands, learned and measured; the `norm` and `relative` blocks."""

from typing import Any

import pytest
import torch

from audiosurvey.model.blocks.normalise import BandBatchNorm, BandStatistics, Relative, make_standardize
from audiosurvey.model.describe import describe
from audiosurvey.model.grammar import ModelConfig
from audiosurvey.model.network import build_network

LOUD_LOW = torch.tensor([0.0, -20, -40, -80])
SPREAD = torch.tensor([10.0, 5, 2, 1])


def spectrograms() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(8, 1, 50, 4, generator=generator) * SPREAD + LOUD_LOW


def test_every_band_gets_mean_0_and_deviation_1() -> None:
    norm = BandBatchNorm(4)
    out = norm(spectrograms())
    assert out.shape == (8, 1, 50, 4)
    torch.testing.assert_close(out.mean(dim=(0, 1, 2)), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(out.std(dim=(0, 1, 2)), torch.ones(4), atol=1e-2, rtol=0)
    assert sum(parameter.numel() for parameter in norm.parameters()) == 2 * 4


def test_one_norm_for_the_channel_keeps_the_bands_apart() -> None:
    norm = make_standardize("batch_norm_channel", 4)
    x = spectrograms()
    out = norm(x)
    assert sum(parameter.numel() for parameter in norm.parameters()) == 2
    torch.testing.assert_close(out, (x - x.mean()) / x.std(correction=0))


def test_measured_statistics_are_fixed_and_stored() -> None:
    x = spectrograms()
    norm = BandStatistics(4)
    assert torch.equal(norm(x), x)
    norm.set_statistics(x.mean(dim=(0, 1, 2)), x.std(dim=(0, 1, 2)))
    torch.testing.assert_close(norm(x).std(dim=(0, 1, 2)), torch.ones(4), atol=1e-3, rtol=0)
    assert list(norm.parameters()) == []
    again = BandStatistics(4)
    again.load_state_dict(norm.state_dict())
    assert torch.equal(again(x), norm(x))


def test_a_band_that_never_changes_is_not_stretched() -> None:
    norm = BandStatistics(2)
    norm.set_statistics(torch.tensor([0.0, -100.0]), torch.tensor([2.0, 0.0]))
    out = norm(torch.tensor([[[[4.0, -100.0]]]]))
    torch.testing.assert_close(out, torch.tensor([[[[2.0, 0.0]]]]))


def test_the_norm_block_works_on_maps_and_on_features() -> None:
    blocks = [{"norm": "batch"}, {"pooling": {"mode": "avg"}}, {"fc": 6}, {"norm": "batch"}]
    config = ModelConfig.model_validate({"blocks": blocks})
    network = build_network(config, input_shape=(2, 10, 4), classes=3, seed=0)
    assert network(torch.randn(4, 2, 10, 4)).shape == (4, 3)
    assert network.blocks[0].num_features == 2
    assert network.blocks[3].num_features == 6


def test_relative_takes_its_share_of_the_mean_over_frames_by_hand() -> None:
    bands = torch.tensor([[[[1.0, 10.0], [3.0, 10.0], [8.0, 40.0]]]])  # means over the three frames: 4 and 20
    expected = torch.tensor([[[[-1.0, 0.0], [1.0, 0.0], [6.0, 30.0]]]])
    torch.testing.assert_close(Relative(0.5)(bands), expected)
    torch.testing.assert_close(Relative(1.0)(bands).mean(dim=2), torch.zeros(1, 1, 2))
    assert torch.equal(Relative(0.0)(bands), bands)


def test_of_a_filter_over_the_whole_clip_relative_leaves_the_rest_of_its_share() -> None:
    """A microphone's response adds the same to every frame of a band in dB."""
    x, filtered = spectrograms(), spectrograms() + torch.tensor([6.0, -3.0, 0.0, 12.0])
    torch.testing.assert_close(Relative(1.0)(filtered), Relative(1.0)(x), atol=1e-4, rtol=0)
    left = Relative(0.75)(filtered) - Relative(0.75)(x)
    torch.testing.assert_close(left, torch.tensor([1.5, -0.75, 0.0, 3.0]).expand_as(left), atol=1e-4, rtol=0)


def test_relative_looks_at_each_clip_alone_and_not_at_its_turn_in_time() -> None:
    x = spectrograms()
    torch.testing.assert_close(Relative(0.6)(x)[2:3], Relative(0.6)(x[2:3]))
    torch.testing.assert_close(Relative(0.6)(x.roll(7, dims=2)), Relative(0.6)(x).roll(7, dims=2))


def test_relative_reckons_in_float32() -> None:
    assert Relative(0.5)(spectrograms().bfloat16()).dtype == torch.float32


@pytest.mark.parametrize(("share", "frames"), [(0.0, 3), (0.4, 50)])
def test_behind_relative_every_value_hears_the_whole_clip(share: float, frames: int) -> None:
    blocks: list[dict[str, Any]] = [{"relative": share}, {"conv": {"channels": 2, "kernel": [3, 3]}}]
    config = ModelConfig.model_validate({"blocks": [*blocks, {"pooling": {"mode": "avg"}}]})
    network = build_network(config, input_shape=(1, 50, 4), classes=3, seed=0)
    assert describe(network, (1, 50, 4)).layers[1].receptive_field == (frames, 3)


def test_layer_norm_goes_over_the_channels_of_each_cell_and_over_features() -> None:
    blocks: list[dict[str, Any]] = [{"layer_norm": 0.5}, {"pooling": {"mode": "avg"}}, {"layer_norm": 1e-5}]
    config = ModelConfig.model_validate({"blocks": blocks})
    network = build_network(config, input_shape=(6, 10, 4), classes=3, seed=0)
    x = torch.randn(2, 6, 10, 4)
    cell = x[1, :, 7, 2]
    expected = (cell - cell.mean()) / (cell.var(correction=0) + 0.5).sqrt()
    torch.testing.assert_close(network.blocks[0](x)[1, :, 7, 2], expected)
    features = network.embed(x)
    torch.testing.assert_close(features.mean(dim=1), torch.zeros(2), atol=1e-5, rtol=0)
    assert sum(parameter.numel() for parameter in network.blocks.parameters()) == 2 * 2 * 6


def test_band_norm_has_a_norm_for_each_band_and_the_momentum_that_it_is_given() -> None:
    config = ModelConfig.model_validate({"blocks": [{"band_norm": 0.01}, {"pooling": {"mode": "avg"}}]})
    network = build_network(config, input_shape=(1, 10, 4), classes=3, seed=0)
    x = 5 + torch.arange(1.0, 5.0) * torch.randn(8, 1, 10, 4)
    y = network.blocks[0](x)
    torch.testing.assert_close(y.mean(dim=(0, 1, 2)), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(network.blocks[0].norm.running_mean, 0.01 * x.mean(dim=(0, 1, 2)))
