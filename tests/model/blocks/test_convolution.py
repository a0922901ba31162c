"""The convolution of all blocks: torch's numbers, also where it takes another way to them."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from audiosurvey.model.blocks.convolution import Conv2d, same_conv

STRIDED_IN_BF16 = """
import torch
from audiosurvey.model.blocks.convolution import same_conv
for channels in (4, 8, 12):
    conv = same_conv(channels, 8, (1, 1), (2, 2), bias=False).to(memory_format=torch.channels_last)
    x = torch.randn(4, channels, 250, 64).contiguous(memory_format=torch.channels_last)
    for _ in range(3):
        with torch.autocast("cpu", torch.bfloat16):
            conv(x).float().square().sum().backward()
print("whole")
"""


@pytest.mark.parametrize("stride", [(1, 1), (2, 2), (1, 4), (3, 1)])
@pytest.mark.parametrize(("kernel", "groups"), [((1, 1), 1), ((1, 1), 3), ((3, 3), 1), ((1, 3), 1), ((2, 1), 1)])
def test_the_numbers_of_torch(stride, kernel, groups):
    torch.manual_seed(0)
    ours = same_conv(6, 9, kernel, stride, groups)
    assert isinstance(ours, Conv2d)
    arguments = {"padding": ours.padding, "dilation": ours.dilation, "groups": groups}
    theirs = nn.Conv2d(6, 9, kernel, stride, **arguments)
    theirs.load_state_dict(ours.state_dict())
    one = torch.randn(2, 6, 11, 8, requires_grad=True)
    other = one.detach().clone().requires_grad_()
    torch.testing.assert_close(ours(one), theirs(other))
    ours(one).square().sum().backward()
    theirs(other).square().sum().backward()
    torch.testing.assert_close(one.grad, other.grad)
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad)


def test_a_strided_point_in_bf16_leaves_memory_whole():
    """In a process of its own: where memory is written over, it dies, if it dies, at any later moment."""
    done = subprocess.run([sys.executable, "-c", STRIDED_IN_BF16], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.strip()) == (0, "whole"), done.stderr
