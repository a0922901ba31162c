"""Passes on the meta device without torch's compiler."""

import subprocess
import sys

PROGRAM = """
import sys
import torch
from torch.nn import functional as F
from audiosurvey.model.meta_device import without_compiler

def passes():
    x = torch.empty(2, 3, device="meta")
    return tuple(torch.cat([F.relu(x), x + 1]).shape)

with without_compiler():
    assert passes() == (4, 3)
assert "torch._dynamo" not in sys.modules
assert not hasattr(torch._refs.cat, "__dynamo_disable")
{then}
"""


def check(then: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(then=then)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_compiler_works_afterwards():
    check(
        """
assert passes() == (4, 3)
assert "torch._dynamo" in sys.modules
import torch._dynamo
assert torch.compile(lambda x: x + 1, backend="eager")(torch.zeros(2)).tolist() == [1, 1]
with without_compiler():
    assert torch._dynamo is sys.modules["torch._dynamo"]
    assert torch._dynamo.config is not None
"""
    )


def test_it_is_loaded_if_something_else_asks_for_it():
    check(
        """
with without_compiler():
    assert passes() == (4, 3)
    assert torch._dynamo.config is not None
    assert "config" in dir(sys.modules["torch._dynamo"])
    assert passes() == (4, 3)
assert passes() == (4, 3)
"""
    )
