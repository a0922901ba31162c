"""Two processes on the CPU take the step that one takes, and their batch norms have seen the clips of both."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors.torch import load_file
from scripts import load_script

from audiosurvey.training.accelerator import make_accelerator

SCRIPT = Path(__file__).parent / "two_processes.py"
Tensors = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script(SCRIPT)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[Tensors]:
    """What each of two processes ended with."""
    folder = tmp_path_factory.mktemp("ranks")
    common = os.environ | {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
        "WORLD_SIZE": "2",
        "OMP_NUM_THREADS": "1",
    }
    started = [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), str(folder)],
            env=common | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        told = [process.communicate(timeout=120)[1] for process in started]
    finally:
        for process in started:
            process.kill()
    assert [process.returncode for process in started] == [0, 0], "\n".join(told)
    return [load_file(folder / f"{rank}.safetensors") for rank in range(2)]


def under(prefix: str, tensors: Tensors) -> Tensors:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def test_a_step_of_two_processes_is_that_of_one_that_accumulates(ranks: list[Tensors], script: ModuleType) -> None:
    """Its batch norms see the same halves, one after the other."""
    net = script.network()
    step = script.step_of(net, make_accelerator("cpu", "fp32"), accum_iter=2)
    step([script.half(0), script.half(1)], epoch=1, step=0, lr=0.5)
    for rank in ranks:
        assert under("weight.", rank).keys() == dict(net.named_parameters()).keys()
        for name, value in net.named_parameters():
            assert value.dtype == torch.float64
            torch.testing.assert_close(rank[f"weight.{name}"], value.detach(), rtol=0, atol=1e-6, msg=name)
        for name, value in script.gradients(net).items():
            torch.testing.assert_close(rank[f"gradient.{name}"], value, rtol=0, atol=1e-6, msg=name)
        fresh = dict(script.network().named_parameters())
        assert any((rank[f"weight.{name}"] - value).abs().max() > 1e-3 for name, value in fresh.items())


def alone(script: ModuleType, rank: int) -> Tensors:
    """The running statistics of a process that has nobody beside it."""
    net = script.network()
    step = script.step_of(net, make_accelerator("cpu", "fp32"))
    for number in range(script.STEPS):
        step([script.half(rank, number)], epoch=1, step=number, lr=0.0)
    return dict(net.named_buffers())


def test_each_process_counts_the_statistics_of_its_own_clips(ranks: list[Tensors], script: ModuleType) -> None:
    for rank, found in enumerate(ranks):
        torch.testing.assert_close(under("own.", found), alone(script, rank), rtol=0, atol=1e-9)


@pytest.mark.parametrize(("ours", "of_both"), [("own.", "network."), ("own_average.", "average.")])
def test_running_statistics_become_the_mean_over_the_processes(ranks: list[Tensors], ours: str, of_both: str) -> None:
    one, other = (under(ours, rank) for rank in ranks)
    for found in (under(of_both, rank) for rank in ranks):
        assert found.keys() == one.keys()
        for name, value in found.items():
            mean = (one[name].double() + other[name].double()) / 2
            torch.testing.assert_close(value.double(), mean, rtol=0, atol=1e-9, msg=name)
    mean_F = under(of_both, ranks[0])["0.norm.running_mean"]
    torch.testing.assert_close(mean_F, torch.full_like(mean_F, 5.0), rtol=0, atol=1.0)


def test_statistics_that_are_counted_anew_are_those_of_all_clips(ranks: list[Tensors]) -> None:
    for found in ranks:
        mean_F = found["counted.0.norm.running_mean"]
        torch.testing.assert_close(mean_F, torch.full_like(mean_F, 5.0), rtol=0, atol=0.5)
    assert torch.equal(*(found["counted.0.norm.running_mean"] for found in ranks))
