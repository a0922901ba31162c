"""The accelerator of a run."""

import pytest
import torch

from audiosurvey.errors import UserError
from audiosurvey.training.accelerator import make_accelerator
from audiosurvey.training.devices import check_device


@pytest.mark.parametrize(("precision", "mixed"), [("fp32", "no"), ("bf16", "bf16")])
def test_formats_on_the_processor_one_after_the_other(precision, mixed):
    accelerator = make_accelerator("cpu", precision)
    assert accelerator.device.type == "cpu"
    assert accelerator.mixed_precision == mixed
    assert accelerator.is_main_process
    assert accelerator.num_processes == 1


def test_fp16_is_refused_on_the_processor():
    with pytest.raises(UserError, match="precision: fp16 needs a GPU"):
        make_accelerator("cpu", "fp16")


def test_automatic_choice_is_always_to_be_had():
    check_device("auto")
    check_device("cpu")
    assert make_accelerator("auto", "auto").device.type in ("cpu", "cuda", "mps")


@pytest.mark.gpu
def test_the_numbered_device_is_taken():
    assert make_accelerator("cuda:0", "fp32").device.type == "cuda"
    assert torch.cuda.current_device() == 0
