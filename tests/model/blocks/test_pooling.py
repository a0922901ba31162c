"""Pooling by hand: what is pooled, and in which order the features stand."""

import pytest
import torch

from audiosurvey.model.blocks.pooling import Pooling, make_pool
from audiosurvey.model.grammar import ModelConfig
from audiosurvey.model.network import build_network

X = torch.tensor([[[[1.0, 10.0], [3.0, 30.0]], [[-1.0, 0.5], [-3.0, 0.5]]]])  # (1, C=2, T=2, F=2)


@pytest.mark.parametrize(
    ("mode", "flat", "no_flat"),
    [
        ("avg", [2, 20, -2, 0.5], [11, -0.75]),
        ("max", [3, 30, -1, 0.5], [30, 0.5]),
        ("sum", [4, 40, -4, 1], [44, -3]),
        ("mul", [3, 300, 3, 0.25], [900, 0.75]),
        ("avg+max", [5, 50, -3, 1], [41, -0.25]),
    ],
)
def test_modes_by_hand(mode: str, flat: list[float], no_flat: list[float]) -> None:
    torch.testing.assert_close(Pooling(mode, flat=True)(X), torch.tensor([flat], dtype=torch.float32))
    torch.testing.assert_close(Pooling(mode, flat=False)(X), torch.tensor([no_flat], dtype=torch.float32))


def test_sums_of_half_precision_maps_do_not_lose_bits() -> None:
    x = torch.ones(1, 1, 1000, 2, dtype=torch.bfloat16)
    assert Pooling("sum", flat=False)(x).item() == 2000
    assert Pooling("avg", flat=True)(x).dtype == torch.float32


def test_max_pool_leaves_the_bands_apart() -> None:
    config = ModelConfig.model_validate({"blocks": [{"max_pool": [3, 2]}, {"pooling": {"mode": "avg"}}]})
    network = build_network(config, input_shape=(1, 7, 2), classes=2, seed=0)
    x = torch.tensor([[0.0, 9], [5, 8], [1, 7], [2, 6], [4, 5], [3, 4], [9, 3]]).view(1, 1, 7, 2)
    expected = torch.tensor([[5.0, 9], [4, 7], [9, 5]]).view(1, 1, 3, 2)
    torch.testing.assert_close(network.blocks[0](x), expected)


def test_pool_of_mean_plus_maximum() -> None:
    torch.testing.assert_close(make_pool("avg+max", (2, 2))(X), torch.tensor([[[[41.0]], [[-0.25]]]]))
