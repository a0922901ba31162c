"""What a call leaves as it was: threads, environment variables, settings of torch, random generators."""

import os
import random
import sys
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
_ACCELERATE = ("AcceleratorState", "PartialState", "GradientState")


@contextmanager
def unchanged_state() -> Iterator[None]:
    """Puts back the state of the process at the end of the block, also after an exception.

    Only of libraries that are loaded: state that nobody could have set before the block is left alone.
    """
    restore = [_environment(), *_generators(), *_torch(), *_accelerate()]
    with warnings.catch_warnings():
        try:
            yield
        finally:
            for undo in restore:
                undo()


def keeps_state(function: Callable[P, T]) -> Callable[P, T]:
    """Decorator: calls of the function leave the state of the process as it was."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        with unchanged_state():
            return function(*args, **kwargs)

    return call


def stepwise(steps: Generator[T, None, None]) -> Generator[T, None, None]:
    """The same items; each step of the generator leaves the state of the process as it was."""
    try:
        while True:
            with unchanged_state():
                try:
                    item = next(steps)
                except StopIteration:
                    return
            yield item
    finally:
        with unchanged_state():
            steps.close()


def _environment() -> Callable[[], None]:
    before = dict(os.environ)

    def undo() -> None:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update({name: value for name, value in before.items() if os.environ.get(name) != value})

    return undo


def _generators() -> Iterator[Callable[[], None]]:
    own = random.getstate()
    yield lambda: random.setstate(own)
    if numpy := sys.modules.get("numpy"):
        drawn = numpy.random.get_state()
        yield lambda: numpy.random.set_state(drawn)


def _torch() -> Iterator[Callable[[], None]]:
    torch = sys.modules.get("torch")
    if torch is None:
        return
    drawn = torch.get_rng_state()
    yield lambda: torch.set_rng_state(drawn)
    if torch.cuda.is_initialized():
        of_devices, device = torch.cuda.get_rng_state_all(), torch.cuda.current_device()
        yield lambda: torch.cuda.set_rng_state_all(of_devices)
        yield lambda: torch.cuda.set_device(device)
    threads = _Setting(torch.get_num_threads, torch.set_num_threads)
    dtype = _Setting(torch.get_default_dtype, torch.set_default_dtype)
    gradients = _Setting(torch.is_grad_enabled, torch.set_grad_enabled)
    precision = _Setting(torch.get_float32_matmul_precision, torch.set_float32_matmul_precision)
    deterministic = _Setting(torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode)
    for setting in (threads, dtype, gradients, precision, deterministic):
        yield setting.undo
    yield _attributes(torch.backends.cudnn, ("benchmark", "deterministic", "allow_tf32"))


class _Setting:
    """A value with a getter and a setter, which is called only if the value has changed."""

    def __init__(self, get: Callable[[], Any], set: Callable[[Any], object]) -> None:
        self._get, self._set, self._before = get, set, get()

    def undo(self) -> None:
        if self._get() != self._before:
            self._set(self._before)


def _attributes(owner: Any, names: tuple[str, ...]) -> Callable[[], None]:
    before = {name: getattr(owner, name) for name in names}

    def undo() -> None:
        for name, value in before.items():
            if getattr(owner, name) != value:
                setattr(owner, name, value)

    return undo


def _accelerate() -> Iterator[Callable[[], None]]:
    """The shared state of accelerate, of which a process has one; with several processes it belongs to all of them."""
    found = sys.modules.get("accelerate.state")
    before = {name: dict(getattr(found, name)._shared_state) for name in _ACCELERATE} if found else {}

    def undo() -> None:
        state, torch = sys.modules.get("accelerate.state"), sys.modules.get("torch")
        if state is None or torch is None or (torch.distributed.is_available() and torch.distributed.is_initialized()):
            return
        for name in _ACCELERATE:
            shared = getattr(state, name)._shared_state
            shared.clear()
            shared.update(before.get(name, {}))

    yield undo
