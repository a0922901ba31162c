"""Activations: the gate by hand, the others against torch's functions."""

from typing import get_args

import pytest
import torch
import torch.nn.functional as F

from audiosurvey.model.activations import ACTIVATIONS, ActivationName, SwiGLU, make_activation


def silu(x: torch.Tensor) -> torch.Tensor:
    return x / (1 + torch.exp(-x))


def test_first_half_is_the_value_second_half_the_gate() -> None:
    x = torch.tensor([[1.0, 2.0, 3.0, -4.0]])
    expected = torch.tensor([[1.0, 2.0]]) * silu(torch.tensor([[3.0, -4.0]]))
    torch.testing.assert_close(SwiGLU()(x), expected)


def test_bands_of_a_map_are_halved_and_frames_kept() -> None:
    x = torch.randn(2, 3, 5, 8)
    torch.testing.assert_close(SwiGLU()(x), x[..., :4] * silu(x[..., 4:]))


def test_channels_of_a_map_are_halved() -> None:
    x = torch.randn(2, 6, 5, 7)
    torch.testing.assert_close(SwiGLU(axis=1)(x), x[:, :3] * silu(x[:, 3:]))


def test_an_odd_axis_is_padded_by_one_band_of_zeros() -> None:
    x = torch.randn(2, 3, 5, 7)
    padded = torch.cat([x, torch.zeros(2, 3, 5, 1)], dim=-1)
    assert SwiGLU()(x).shape == (2, 3, 5, 4)
    torch.testing.assert_close(SwiGLU()(x), padded[..., :4] * silu(padded[..., 4:]))


def test_an_odd_number_of_channels_is_our_own_mistake() -> None:
    with pytest.raises(ValueError, match="even"):
        SwiGLU(axis=1)(torch.zeros(1, 3, 4, 4))


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("relu", lambda x: x.clamp(min=0)),
        ("lrelu", lambda x: torch.where(x > 0, x, 0.01 * x)),
        ("relu6", lambda x: x.clamp(0, 6)),
        ("gelu", lambda x: x * 0.5 * (1 + torch.erf(x / 2**0.5))),
        ("silu", silu),
        ("swish", silu),
        ("elu", lambda x: torch.where(x > 0, x, torch.expm1(x))),
        ("selu", F.selu),
        ("tanh", torch.tanh),
        ("sigmoid", torch.sigmoid),
        ("hardswish", lambda x: x * (x + 3).clamp(0, 6) / 6),
        ("mish", lambda x: x * torch.tanh(torch.log1p(torch.exp(x)))),
    ],
)
def test_plain_activations(name: str, function) -> None:
    x = torch.linspace(-7, 7, 57)
    torch.testing.assert_close(make_activation(name)(x), function(x))


def test_every_name_is_built() -> None:
    assert {*ACTIVATIONS, "swiglu"} == set(get_args(ActivationName))
