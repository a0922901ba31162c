"""Standardisation of the mel bands, learned and measured."""

import torch

from audiosurvey.model.grammar import ModelConfig
from audiosurvey.model.network import build_network
from audiosurvey.model.normalise import BandBatchNorm, BandStatistics, make_standardize

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
