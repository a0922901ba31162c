"""The gradient with respect to a spectrogram, compared with that of torch's own convolution."""

import copy

import pytest
import torch
from torch import nn

from audiosurvey.model.blocks import input_gradient as tested
from audiosurvey.model.blocks.convolution import Conv2d, same_conv

SHAPES = [
    # kernel, stride, size
    ((5, 5), (2, 2), (21, 64)),
    ((3, 3), (1, 1), (9, 13)),
    ((3, 3), (2, 2), (10, 15)),
    ((5, 3), (3, 1), (8, 6)),
    ((1, 3), (1, 2), (7, 9)),
    ((5, 5), (2, 1), (11, 5)),
    ((7, 9), (4, 2), (16, 31)),
    ((3, 3), (2, 2), (1, 2)),
]


def gradients(conv: nn.Conv2d, heard: torch.Tensor) -> list[torch.Tensor]:
    """Output, and gradients with respect to input, weight and bias."""
    heard = heard.detach().clone().requires_grad_()
    conv.zero_grad()
    output = conv(heard)
    output.backward(torch.randn(output.shape, generator=torch.Generator().manual_seed(3)).to(output.dtype))
    assert heard.grad is not None
    return [output, heard.grad, *(parameter.grad for parameter in conv.parameters() if parameter.grad is not None)]


@pytest.mark.parametrize(("kernel", "stride", "size"), SHAPES)
def test_equals_the_gradient_of_torch(kernel, stride, size):
    torch.manual_seed(1)
    fast = same_conv(1, 6, kernel, stride).double()
    plain = nn.Conv2d(1, 6, kernel, stride, fast.padding).double()
    plain.load_state_dict(fast.state_dict())
    heard = torch.randn(3, 1, *size, dtype=torch.double)
    assert tested.has_fast_gradient(fast, heard.requires_grad_())
    for ours, torchs in zip(gradients(fast, heard), gradients(plain, heard), strict=True):
        torch.testing.assert_close(ours, torchs, rtol=1e-12, atol=1e-12)


def test_equals_finite_differences():
    torch.manual_seed(2)
    conv = same_conv(1, 3, (5, 5), (2, 2)).double()
    heard = torch.randn(2, 1, 7, 11, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(conv, (heard,))


def test_unread_bands_have_no_gradient():
    """A kernel of 3 with stride 2 and no padding does not read the last of 6 bands."""
    conv = Conv2d(1, 2, 3, stride=2)
    _, gradient, *_ = gradients(conv, torch.randn(1, 1, 5, 6))
    assert gradient.shape == (1, 1, 5, 6)
    assert torch.all(gradient[..., -1] == 0)
    assert torch.all(gradient[..., :-1] != 0)


def test_under_autocast_the_gradient_is_that_of_torch_within_16_bits():
    torch.manual_seed(4)
    fast = same_conv(1, 16, (5, 5), (2, 2))
    plain = nn.Conv2d(1, 16, (5, 5), (2, 2), fast.padding)
    plain.load_state_dict(fast.state_dict())
    heard = torch.randn(4, 1, 40, 64)
    with torch.autocast("cpu", torch.bfloat16):
        ours, torchs = gradients(copy.deepcopy(fast), heard), gradients(plain, heard)
    assert ours[0].dtype == torch.bfloat16
    assert ours[1].dtype == torch.float32
    for one, other in zip(ours, torchs, strict=True):
        torch.testing.assert_close(one, other, rtol=2e-2, atol=0.1)


@pytest.mark.parametrize(
    "conv",
    [
        Conv2d(2, 4, 3, padding=1),
        Conv2d(1, 4, 3, padding=2, dilation=2),
        Conv2d(1, 4, 3, stride=3),
        Conv2d(1, 4, 7, padding=3),
        Conv2d(1, 4, 3, padding=1).eval(),
    ],
    ids=["two channels", "dilation", "no overlap", "wide kernel", "evaluation"],
)
def test_otherwise_torch_computes_the_gradient(conv):
    heard = torch.randn(1, conv.in_channels, 8, 8, requires_grad=True)
    assert not tested.has_fast_gradient(conv, heard)
    assert gradients(conv, heard)[1].shape == heard.shape


def test_an_input_without_gradient_needs_none():
    conv = Conv2d(1, 4, 3, padding=1)
    assert not tested.has_fast_gradient(conv, torch.randn(1, 1, 8, 8))
    with torch.no_grad():
        assert not tested.has_fast_gradient(conv, torch.randn(1, 1, 8, 8, requires_grad=True))
