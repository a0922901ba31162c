"""Forward passes on the meta device without loading torch's compiler, which would take most of the time."""

import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import torch

_COMPILER = "torch._dynamo"
_MARK = "__dynamo_disable"
"""Attribute in which torch keeps the exempt form of a function."""


@contextmanager
def without_compiler() -> Iterator[None]:
    """A block in which operations on the meta device do not import `torch._dynamo` (about a second).

    On the meta device, torch runs many operations as Python functions that it exempts from compilation when they are
    first called, and imports the compiler for that. In this block a stand-in returns them as they are. Afterwards all
    is as before: if something compiles later, these functions are exempted then. Should torch ask for anything else,
    the compiler is imported after all. Does nothing if the compiler is loaded.
    """
    if _COMPILER in sys.modules:
        yield
        return
    stand_in = _NoCompiler(_COMPILER)
    sys.modules[_COMPILER] = torch._dynamo = stand_in
    try:
        yield
    finally:
        stand_in.remove()


class _NoCompiler(types.ModuleType):
    """Stands in for `torch._dynamo` while nothing is compiled."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._exempt: list[Any] = []

    def disable(self, fn: Callable[..., Any], *_: object, **__: object) -> Callable[..., Any]:
        """Nothing is compiled, so there is nothing to exempt a function from."""
        self._exempt.append(fn)
        return fn

    def remove(self) -> None:
        if sys.modules.get(_COMPILER) is self:
            del sys.modules[_COMPILER]
            del torch._dynamo
        for fn in self._exempt:
            if getattr(fn, _MARK, None) is fn:
                delattr(fn, _MARK)
        self._exempt.clear()

    def __getattr__(self, name: str) -> Any:
        self.remove()
        return getattr(import_module(_COMPILER), name)
