"""What calls leave as it was."""

import os
import random
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from audiosurvey.api.state import keeps_state, stepwise, unchanged_state


def state() -> dict[str, Any]:
    return {
        "environment": dict(os.environ),
        "random": random.getstate(),
        "numpy": str(np.random.get_state()),  # noqa: NPY002
        "torch": torch.get_rng_state().tolist(),
        "threads": torch.get_num_threads(),
        "dtype": torch.get_default_dtype(),
        "gradients": torch.is_grad_enabled(),
        "deterministic": torch.get_deterministic_debug_mode(),
        "precision": torch.get_float32_matmul_precision(),
        "cudnn": (torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic),
        "warnings": list(warnings.filters),
        "accelerate": dict(AcceleratorState._shared_state),
    }


def change_everything() -> None:
    os.environ["AUDIOSURVEY_TEST"] = "1"
    os.environ.pop("HOME", None)
    random.seed(7)
    np.random.seed(7)  # noqa: NPY002
    torch.manual_seed(7)
    torch.set_num_threads(torch.get_num_threads() + 1)
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    torch.set_deterministic_debug_mode("warn")
    torch.set_float32_matmul_precision("medium")
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.deterministic = True
    warnings.simplefilter("ignore")
    AcceleratorState._reset_state(reset_partial_state=True)
    Accelerator(cpu=True, mixed_precision="bf16")


def test_everything_is_put_back():
    before = state()
    with unchanged_state():
        change_everything()
        assert all(state()[name] != value for name, value in before.items())
    assert state() == before


def test_everything_is_put_back_after_an_exception():
    before = state()

    @keeps_state
    def fails() -> None:
        change_everything()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fails()
    assert state() == before


def test_everything_is_put_back_between_two_steps():
    before, ended = state(), []

    def steps() -> Iterator[int]:
        try:
            for number in range(3):
                change_everything()
                yield number
        finally:
            change_everything()
            ended.append(True)

    found = stepwise(steps())
    for number in range(2):
        assert next(found) == number
        assert state() == before
    found.close()
    assert (state(), ended) == (before, [True])


def test_a_function_keeps_its_name_and_text():
    @keeps_state
    def named(path: str) -> str:
        """Text."""
        return path

    assert (named.__name__, named.__doc__, named("a")) == ("named", "Text.", "a")
