"""The blocks around the convolutions of a wave."""

from typing import Any

import pytest
import torch

from audiosurvey.model.blocks.wave import ChannelsToBands, PadMultiple, PeakNorm
from audiosurvey.model.faults import shape_faults
from audiosurvey.model.grammar import ModelConfig


def test_every_clip_is_as_loud_as_its_peak_says() -> None:
    wave = torch.tensor([[0.1, -0.2, 0.05], [3.0, 1.0, -1.0], [0.0, 0.0, 0.0]]).reshape(3, 1, 3, 1)
    normed = PeakNorm(0.95)(wave).squeeze()
    torch.testing.assert_close(normed[0], torch.tensor([0.475, -0.95, 0.2375]))
    torch.testing.assert_close(normed[1], torch.tensor([0.95, 0.95 / 3, -0.95 / 3]))
    assert torch.equal(normed[2], torch.zeros(3))


def test_the_gradient_of_silence_is_finite() -> None:
    wave = torch.zeros(1, 1, 5, 1, requires_grad=True)
    PeakNorm(0.95)(wave).sum().backward()
    assert wave.grad is not None
    assert wave.grad.isfinite().all()


@pytest.mark.parametrize(("samples", "padded"), [(1, 8), (7, 8), (8, 8), (9, 16)])
def test_zeros_are_put_at_the_end(samples: int, padded: int) -> None:
    out = PadMultiple(8)(torch.ones(1, 2, samples, 1))
    assert out.shape == (1, 2, padded, 1)
    assert out[:, :, :samples].eq(1).all()
    assert out[:, :, samples:].eq(0).all()


def test_channels_become_bands_as_in_the_authors_reshape() -> None:
    x = torch.randn(2, 12, 5, 1)
    expected = x.squeeze(3).reshape(2, -1, 4, 5).transpose(2, 3)
    assert torch.equal(ChannelsToBands(4)(x), expected)
    assert expected.shape == (2, 3, 5, 4)


@pytest.mark.parametrize(
    ("block", "shape", "words"),
    [
        ({"channels_to_bands": 3}, (4, 5, 1), "4 channels are not a multiple of 3"),
        ({"channels_to_bands": 2}, (4, 5, 2), "the map has 2 bands already"),
    ],
)
def test_what_has_no_bands_to_make(block: dict[str, Any], shape: tuple[int, int, int], words: str) -> None:
    (fault,) = shape_faults(ModelConfig.model_validate({"blocks": [block, {"pooling": {}}]}), shape)
    assert words in fault.message
