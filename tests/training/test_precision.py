"""What `auto` picks, and that a choice is kept."""

import pytest
import torch

from audiosurvey.training import precision
from audiosurvey.training.precision import pick_precision


@pytest.mark.parametrize("fast", [True, False])
def test_auto_on_a_processor(monkeypatch, fast):
    monkeypatch.setattr(precision, "fast_bf16_cpu", lambda: fast)
    assert pick_precision("auto", torch.device("cpu")) == ("bf16" if fast else "fp32")


@pytest.fixture(autouse=True)
def asked_anew():
    ask = precision.fast_bf16_cpu
    ask.cache_clear()
    yield
    ask.cache_clear()


@pytest.mark.parametrize(
    ("tiles", "dot", "gain", "fast"),
    [
        (True, True, None, True),
        (False, False, None, False),
        (False, True, 2.0, True),
        (False, True, 0.6, False),
        (False, True, 1.1, False),
    ],
)
def test_a_processor_with_dot_products_alone_is_timed(monkeypatch, tiles, dot, gain, fast):
    told = {"avx512_bf16": dot, "amx_bf16": tiles}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: told, raising=False)
    timed = []
    monkeypatch.setattr(precision, "convolution_gain", lambda: timed.append(gain) or gain)
    assert precision.fast_bf16_cpu() is fast
    assert precision.fast_bf16_cpu() is fast
    assert timed == ([] if gain is None else [gain])  # once a process


def test_the_gain_is_the_ratio_of_the_best_times(monkeypatch):
    times = {torch.float32: [9.0, 3.0, 5.0], torch.bfloat16: [8.0, 2.0, 1.5]}
    monkeypatch.setattr(precision, "_convolution_seconds", lambda number_format: times[number_format].pop(0))
    assert precision.convolution_gain(rounds=3) == 3.0 / 1.5


def test_a_gain_is_found_and_the_threads_are_given_back():
    before = torch.get_num_threads()
    assert 0.01 < precision.convolution_gain(rounds=2) < 100
    assert torch.get_num_threads() == before


def test_an_older_torch_is_asked_in_its_own_way(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True, raising=False)
    assert precision.fast_bf16_cpu() is True


@pytest.mark.parametrize("name", ["fp32", "bf16", "fp16"])
def test_a_choice_is_kept(name):
    assert pick_precision(name, torch.device("cpu")) == name
