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
assert not {{"torch._dynamo", "torch.fx.experimental.symbolic_shapes", "sympy"}} & set(sys.modules)
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


def test_symbols_work_afterwards():
    """A function of torch that is kept from inside the block, or that the block does not have, is torch's own."""
    check(
        """
with without_compiler():
    from torch.fx.experimental.symbolic_shapes import guard_or_false, sym_and, sym_eq, sym_or
    assert guard_or_false(True) is True and guard_or_false(False) is False
    assert sym_eq((2, 3), (2, 3)) is True and sym_eq((2, 3), (2, 4)) is False
    assert sym_and(True, True, False) is False and sym_or(False, False, True) is True
    assert "sympy.core" not in sys.modules
    from torch.fx.experimental.symbolic_shapes import ShapeEnv
    assert sys.modules["sympy"].__path__
import torch.fx.experimental.symbolic_shapes as own
assert own.ShapeEnv is ShapeEnv and own.guard_or_false is not guard_or_false
import sympy
assert isinstance(sympy.Symbol("x"), sympy.Basic)
symbol = ShapeEnv().create_unbacked_symint()
assert guard_or_false(symbol == 7) is False
assert passes() == (4, 3)
"""
    )
