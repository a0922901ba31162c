"""Training steps: the fraction of their time that is spent in convolutions.

Each convolution of the network is timed by itself, forward and backward, with its own channels, map and memory layout.
The sum is the time of a step if everything else took no time. One thread and processor time. Also the gradient of the
input of the first convolution, compared with torch's own; torch.compile; and the original's network, compared with its
own way to train: fp32, contiguous tensors.
"""

import os
import tempfile
import time
from collections.abc import Callable
from typing import Any

import torch
from rounds import Row, alternate, compared
from torch import Tensor, nn

from audiosurvey.config.loader import load_config
from audiosurvey.config.network import network_of
from audiosurvey.model.blocks.input_gradient import input_gradient
from audiosurvey.model.network import Network
from audiosurvey.model.shapes import each_input
from audiosurvey.training.precision import pick_precision

BATCH, CLASSES = 16, 50
NETWORKS = ("tiny", "small", "base", "cnn10")


def prepared(name: str) -> tuple[Network, Tensor]:
    """The network of a preset in channels-last layout, and a batch for it."""
    config = load_config(name, ["dataset.clip_seconds=5"]).config
    network = network_of(config, CLASSES)
    network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    heard = torch.randn(BATCH, *each_input(config.input_shape)[0])
    return network, heard.contiguous(memory_format=torch.channels_last)


def stepping(network: nn.Module, heard: Tensor, precision: str, classes: int = CLASSES) -> Callable[[], None]:
    """One step: forward, loss, backward, AdamW."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, fused=True)
    target_B = torch.arange(len(heard)) % classes

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            logits = network(heard)
        torch.nn.functional.cross_entropy(logits.float().flatten(0, -2), target_B).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def convolutions(network: nn.Module, heard: Tensor, precision: str) -> Callable[[], None]:
    """All convolutions of a step, each by itself, forward and backward."""
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    found: list[tuple[Any, Tensor]] = []
    hooks = [
        layer.register_forward_hook(lambda layer, given, _: found.append((layer, given[0].detach())))
        for layer in network.modules()
        if isinstance(layer, nn.Conv2d)
    ]
    with torch.no_grad():
        network(heard)
    for hook in hooks:
        hook.remove()
    calls = []
    for number, (layer, given) in enumerate(found):
        x = given.to(dtype).contiguous(memory_format=torch.channels_last).requires_grad_(number > 0)
        weight = layer.weight.detach().to(dtype).contiguous(memory_format=torch.channels_last).requires_grad_()
        out = nn.functional.conv2d(x, weight, None, layer.stride, layer.padding, layer.dilation, layer.groups)  # pyright: ignore[reportArgumentType]
        calls.append((layer, x, weight, torch.randn_like(out)))

    def run() -> None:
        for layer, x, weight, gradient in calls:
            out = nn.functional.conv2d(x, weight, None, layer.stride, layer.padding, layer.dilation, layer.groups)  # pyright: ignore[reportArgumentType]
            torch.autograd.backward(out, gradient, inputs=[x, weight] if x.requires_grad else [weight])

    return run


def measure() -> list[Row]:
    rows = []
    for name in NETWORKS:
        for precision in ("fp32", "bf16"):
            network, heard = prepared(name)
            ways = {"convolutions alone": convolutions(network, heard, precision)}
            rounds = 3 if name == "cnn10" else 5
            taken = alternate(ways | {"step": stepping(network, heard, precision)}, rounds, time.process_time)
            shares = [alone / step for alone, step in zip(*taken.values(), strict=True)]
            row = compared("", taken, items=BATCH)[0]
            share = sorted(shares)[len(shares) // 2]
            rows.append(
                Row(
                    f"step of `{name}`, {precision}, one clip",
                    row.other,
                    "its convolutions alone",
                    row.ours,
                    share,
                    min(shares),
                    max(shares),
                    row.other_memory_mb,
                    row.memory_mb,
                )
            )
    rows += first_gradient()
    torch.set_num_threads(2)
    return [*rows, *compiled(), *original()]


def first_gradient() -> list[Row]:
    """The gradient of the input of the first convolution, for the batch-norm before it."""
    rows = []
    for name in ("tiny", "small"):
        network, heard = prepared(name)
        conv: Any = network.blocks[0][0]  # pyright: ignore[reportIndexIssue]
        gradient = torch.randn_like(conv(heard)).contiguous(memory_format=torch.channels_last)
        weight, size = conv.weight.detach(), (heard.shape[2], heard.shape[3])

        def ours(gradient=gradient, conv=conv, weight=weight, size=size) -> None:
            input_gradient(gradient, weight, size, conv.stride, conv.padding)

        def torchs(gradient=gradient, conv=conv, weight=weight, heard=heard) -> None:
            settings = (conv.stride, conv.padding, conv.dilation, False, (0, 0), 1, (True, False, False))
            torch.ops.aten.convolution_backward(gradient, heard, weight, None, *settings)

        taken = alternate({"ours": ours, "torch": torchs}, clock=time.process_time)
        rows += compared(f"gradient of the input of `{name}`, fp32, one clip", taken, items=BATCH)
    return rows


def compiled() -> list[Row]:
    """The step of `small` as it is, and compiled with torch.compile: after how many clips that pays."""
    network, heard = prepared("small")
    other, _ = prepared("small")
    with tempfile.TemporaryDirectory() as folder:
        # An empty cache: code that an earlier run has compiled would be read from the disk.
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = folder
        return _compiled(network, other, heard)


def _compiled(network: Network, other: Network, heard: Tensor) -> list[Row]:
    begin = time.perf_counter()
    step = stepping(torch.compile(other), heard, "fp32")  # pyright: ignore[reportArgumentType]
    try:
        step()
    except Exception as error:  # a missing C++ compiler is found when the first step is compiled
        return [Row("step of `small` with torch.compile", f"not measured: {str(error).splitlines()[0]}", "", "")]
    spent = time.perf_counter() - begin
    taken = alternate({"compiled": step, "as it is": stepping(network, heard, "fp32")}, rounds=5)
    (row,) = compared(
        f"step of `small`, fp32, two threads, with torch.compile ({spent:.0f} s to compile), one clip",
        taken,
        items=BATCH,
    )
    return [row]


def original() -> list[Row]:
    """The step of the original's network as it is trained here, and as it was: fp32, contiguous."""
    config = load_config("original", ["dataset.clip_seconds=5"]).config

    heard = torch.randn(4, *each_input(config.input_shape)[0])
    precision = pick_precision("auto", torch.device("cpu"))
    laid_out = heard.contiguous(memory_format=torch.channels_last)
    fast = network_of(config, CLASSES).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    ways = {
        "ours": stepping(fast, laid_out, precision),
        "fp32, contiguous": stepping(network_of(config, CLASSES), heard, "fp32"),
    }
    taken = alternate(ways, 3, time.perf_counter)
    return compared(f"step of the original's network, {precision}, two threads, one clip", taken, items=4)
