"""Devices by name."""

import pytest
import torch

from audiosurvey.errors import UserError
from audiosurvey.training.devices import check_device, is_first_process, pick_device


@pytest.mark.parametrize("device", ["banana", "meta", "cpu:x", "cuda:99", ""])
def test_a_device_that_is_not_there_is_one_line(device):
    with pytest.raises(UserError, match=f"^device {device}: not available on this machine") as error:
        check_device(device)
    assert len(error.value.lines) == 1


def test_device_by_name():
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device().type in ("cpu", "cuda", "mps")


def test_one_of_several_processes_is_the_first(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("RANK", raising=False)
    assert is_first_process()
    monkeypatch.setenv("RANK", "0")
    assert is_first_process()
    monkeypatch.setenv("RANK", "3")
    assert not is_first_process()
