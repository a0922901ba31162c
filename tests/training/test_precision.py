"""What `auto` picks, and that a choice is kept."""

import pytest
import torch

from audiosurvey.training import precision
from audiosurvey.training.precision import pick_device, pick_precision


@pytest.mark.parametrize("fast", [True, False])
def test_auto_on_a_processor(monkeypatch, fast):
    monkeypatch.setattr(precision, "fast_bf16_cpu", lambda: fast)
    assert pick_precision("auto", torch.device("cpu")) == ("bf16" if fast else "fp32")


@pytest.mark.parametrize("fast", [True, False])
def test_bf16_is_for_processors_with_tiles(monkeypatch, fast):
    told = {"avx512_bf16": True, "amx_bf16": fast}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: told, raising=False)
    assert precision.fast_bf16_cpu() is fast


def test_an_older_torch_is_asked_in_its_own_way(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True, raising=False)
    assert precision.fast_bf16_cpu() is True


@pytest.mark.parametrize("name", ["fp32", "bf16", "fp16"])
def test_a_choice_is_kept(name):
    assert pick_precision(name, torch.device("cpu")) == name


def test_device_by_name():
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device().type in ("cpu", "cuda", "mps")
