"""Forward passes on the meta device without loading torch's compiler or SymPy, which would take most of the time."""

import functools
import operator
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import torch

_COMPILER = "torch._dynamo"
_SYMBOLS = "torch.fx.experimental.symbolic_shapes"
_MARK = "__dynamo_disable"
"""Attribute in which torch keeps the exempt form of a function."""


@contextmanager
def without_compiler() -> Iterator[None]:
    """A block in which operations on the meta device import neither `torch._dynamo` nor SymPy (about 1.5 seconds).

    On the meta device, torch runs many operations as Python functions that it exempts from compilation when they are
    first called, and imports the compiler for that; their comparisons of sizes come from a module for sizes that are
    symbols, which needs SymPy. In this block, stand-ins return the functions as they are, and compare numbers.
    Afterwards all is as before: if something compiles later, these functions are exempted then. Should torch ask for
    anything else, the real module is imported after all. Does nothing for a module that is loaded.
    """
    stand_ins = [kind() for kind in (_NoCompiler, _NoSymbols, _NoSymPy) if kind.replaced not in sys.modules]
    for stand_in in stand_ins:
        stand_in.install(stand_ins)
    try:
        yield
    finally:
        for stand_in in stand_ins:
            stand_in.remove()


class _StandIn(types.ModuleType):
    """Stands in for the module `replaced`, until something is asked for that a stand-in does not have."""

    replaced: str

    def __init__(self) -> None:
        super().__init__(self.replaced)
        package, _, self._attribute = self.replaced.rpartition(".")
        self._package = import_module(package) if package else None
        self._all: Sequence[_StandIn] = ()

    def install(self, stand_ins: "Sequence[_StandIn]") -> None:
        self._all = stand_ins
        sys.modules[self.replaced] = self
        if self._package:
            setattr(self._package, self._attribute, self)

    def remove(self) -> None:
        if sys.modules.get(self.replaced) is self:
            del sys.modules[self.replaced]
            if self._package:
                delattr(self._package, self._attribute)

    def __getattr__(self, name: str) -> Any:
        # The real module imports the other real ones.
        for stand_in in self._all:
            stand_in.remove()
        return getattr(import_module(self.replaced), name)


class _NoCompiler(_StandIn):
    """Stands in for `torch._dynamo` while nothing is compiled."""

    replaced = _COMPILER

    def __init__(self) -> None:
        super().__init__()
        self._exempt: list[Any] = []

    def disable(self, fn: Callable[..., Any], *_: object, **__: object) -> Callable[..., Any]:
        """Nothing is compiled, so there is nothing to exempt a function from."""
        self._exempt.append(fn)
        return fn

    def remove(self) -> None:
        super().remove()
        for fn in self._exempt:
            if getattr(fn, _MARK, None) is fn:
                delattr(fn, _MARK)
        self._exempt.clear()


class _NoSymbols(_StandIn):
    """Stands in for `torch.fx.experimental.symbolic_shapes` while all sizes are numbers."""

    replaced = _SYMBOLS

    def __init__(self) -> None:
        super().__init__()
        for name, compute in _OF_NUMBERS.items():
            setattr(self, name, _of_numbers(name, compute))

    def __getattr__(self, name: str) -> Any:
        if name == "__path__":  # asked for by every `from ... import`: this is no package
            raise AttributeError(name)
        return super().__getattr__(name)


class _NoSymPy(_StandIn):
    """Stands in for SymPy where torch asks whether something is an expression of SymPy; nothing is."""

    replaced = "sympy"

    Basic = type("Basic", (), {})


def _first(value: Any, *_: object) -> Any:
    return value


_OF_NUMBERS: dict[str, Callable[..., Any]] = {
    "guard_or_false": _first,
    "guard_or_true": _first,
    "guard_size_oblivious": _first,
    "guarding_hint_or_throw": _first,
    "statically_known_true": _first,
    "expect_true": _first,
    "has_guarding_hint": lambda value: True,
    "is_nested_int": lambda value: False,
    "sym_eq": operator.eq,
    "sym_and": lambda *values: functools.reduce(operator.and_, values),
    "sym_or": lambda *values: functools.reduce(operator.or_, values),
}
"""Functions of `symbolic_shapes` that the meta device uses, as they are for numbers."""


def _of_numbers(name: str, compute: Callable[..., Any]) -> Callable[..., Any]:
    """The function of this name: `compute` for numbers, torch's own should there be a symbol."""

    def call(*values: Any) -> Any:
        if any(isinstance(value, torch.SymBool | torch.SymInt | torch.SymFloat) for value in values):
            return getattr(import_module(_SYMBOLS), name)(*values)
        return compute(*values)

    return call
