"""The environment that bit-identical results depend on, as stored in environment.json."""

import os
import platform
import socket
import sys
from importlib import metadata
from typing import Any

import torch
from accelerate import Accelerator

from audiosurvey.training.accelerator import number_format
from audiosurvey.version import __version__


def environment(accelerator: Accelerator, jobs: int = 1) -> dict[str, Any]:
    """What equality to the last bit depends on: versions, processor, threads, processes, number format."""
    packages = ("torch", "numpy", "accelerate", "soundfile", "soxr", "scikit-learn")
    return {
        "audiosurvey": __version__,
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "jobs": jobs,
        "device": accelerator.device.type,
        "precision": number_format(accelerator),
        "processes": accelerator.num_processes,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "cuda": torch.version.cuda,
        "devices": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
        "host": socket.gethostname(),
        "packages": {name: metadata.version(name) for name in packages},
    }
