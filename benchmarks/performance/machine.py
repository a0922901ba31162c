"""What the machine can do: matrix product, convolution, memory."""

import os
import platform
import time
from collections.abc import Callable

import torch
from rounds import Row
from torch import nn

from audiosurvey.analysis.timing import processor_name


def described() -> str:
    """Processor, cores and versions, in one line."""
    return f"{processor_name()}, {os.cpu_count()} cores, torch {torch.__version__}, Python {platform.python_version()}"


def best(call: Callable[[], object], rounds: int = 7) -> float:
    """Seconds of the fastest of some calls."""
    call()
    taken = []
    for _ in range(rounds):
        begin = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begin)
    return min(taken)


def product(dtype: torch.dtype, size: int = 1536) -> float:
    """GFLOP/s of a matrix product."""
    a = torch.randn(size, size).to(dtype)
    return 2 * size**3 / best(lambda: a @ a) / 1e9


def convolution(dtype: torch.dtype) -> float:
    """GFLOP/s of a 3 x 3 convolution with 64 channels, forward and backward."""
    x = torch.randn(8, 64, 128, 32).to(dtype).contiguous(memory_format=torch.channels_last).requires_grad_()
    layer = nn.Conv2d(64, 64, 3, padding=1, bias=False).to(dtype).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def step() -> None:
        layer(x).sum().backward()

    return 3 * 2 * 8 * 128 * 32 * 64 * 64 * 9 / best(step) / 1e9


def bandwidth(megabytes: int = 256) -> float:
    """GB/s of a copy, read and written bytes together."""
    source = torch.zeros(megabytes * 2**18)
    target = torch.empty_like(source)
    return 2 * megabytes * 2**20 / best(lambda: target.copy_(source)) / 1e9


def measure() -> list[Row]:
    threads = torch.get_num_threads()
    rows = []
    for count in sorted({1, threads}):
        torch.set_num_threads(count)
        of = f"{count} thread" + ("s" if count > 1 else "")
        for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
            rows.append(Row(f"matrix product, {name}, {of}", f"{product(dtype):.0f} GFLOP/s", "", ""))
            rows.append(Row(f"3 x 3 convolution, {name}, {of}", f"{convolution(dtype):.0f} GFLOP/s", "", ""))
        rows.append(Row(f"memory, copy, {of}", f"{bandwidth():.1f} GB/s", "", ""))
    torch.set_num_threads(threads)
    return rows
