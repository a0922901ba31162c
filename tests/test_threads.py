"""Threads are given back, however the work ends."""

import pytest
import torch

from audiosurvey.threads import one_thread


@pytest.mark.parametrize("before", [1, 2])
def test_one_thread_and_then_as_before(before):
    found = torch.get_num_threads()
    torch.set_num_threads(before)
    try:
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == before
        with pytest.raises(ZeroDivisionError), one_thread():
            _ = 1 / 0
        assert torch.get_num_threads() == before
    finally:
        torch.set_num_threads(found)
