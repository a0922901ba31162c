"""A state that is put back is the state that was saved, and goes on as if nothing had happened."""

import json
import pickletools

import pytest
import torch
from torch import nn

from audiosurvey.errors import UserError
from audiosurvey.tensorfile import save_tensors
from audiosurvey.training.averaging import Average
from audiosurvey.training.checkpoint import (
    EpochTotals,
    TrainingState,
    load_state,
    read_state,
    save_state,
)
from audiosurvey.training.optimizer import OptimizerConfig, build_optimizer


def parts(name: str) -> tuple[nn.Module, Average, torch.optim.Optimizer]:
    torch.manual_seed(3)
    # Laid out as in training: what the file keeps in rows is not walked as rows then.
    layers = (nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 2))
    network = nn.Sequential(*layers).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    optimizer = build_optimizer(network.parameters(), OptimizerConfig(name=name), lr=0.01, weight_decay=0.1)
    return network, Average(network, 0.9), optimizer


def step(network: nn.Module, average: Average, optimizer: torch.optim.Optimizer, number: int) -> None:
    x = torch.randn(8, 2, 4, 4, generator=torch.Generator().manual_seed(number))
    optimizer.zero_grad()
    network(x).square().sum().backward()
    optimizer.step()
    average.update(network, number)


@pytest.mark.parametrize("name", ["adamw", "adam", "adams", "sgd"])
def test_going_on_equals_never_having_stopped(tmp_path, name):
    whole = parts(name)
    for number in range(6):
        step(*whole, number)
    broken = parts(name)
    for number in range(3):
        step(*broken, number)
    path = tmp_path / "state.safetensors"
    state = TrainingState(epoch=3, step=3, best=[0.5, -1.0], best_epoch=2, totals=EpochTotals(1, 0.5, None, 4))
    save_state(path, state, broken[0], broken[1].network, broken[2])
    again = parts(name)
    for number in range(2):
        step(*again, number + 10)
    restored, scaler = load_state(path, again[0], again[1].network, again[2])
    assert (restored, None) == (state, None) == read_state(path)
    assert scaler == {}
    for number in range(3, 6):
        step(*again, number)
    for ours, theirs in zip(again[0].state_dict().values(), whole[0].state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)
    for ours, theirs in zip(
        again[1].network.state_dict().values(), whole[1].network.state_dict().values(), strict=True
    ):
        assert torch.equal(ours, theirs)


def test_nothing_is_pickled(tmp_path):
    path = tmp_path / "state.safetensors"
    network, average, optimizer = parts("adamw")
    save_state(path, TrainingState(), network, average.network, optimizer)
    with pytest.raises(ValueError), path.open("rb") as file:
        list(pickletools.genops(file))


def test_a_failed_write_leaves_the_old_state(tmp_path, monkeypatch):
    path = tmp_path / "state.safetensors"
    network, average, optimizer = parts("adamw")
    save_state(path, TrainingState(epoch=1), network, average.network, optimizer)

    def fail(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("audiosurvey.tensorfile.save_file", fail)
    with pytest.raises(OSError, match="no space"):
        save_state(path, TrainingState(epoch=2), network, average.network, optimizer)
    assert read_state(path)[0].epoch == 1


def test_a_state_of_another_network_is_one_line(tmp_path):
    path = tmp_path / "checkpoint" / "state.safetensors"
    network, average, optimizer = parts("adamw")
    save_state(path, TrainingState(epoch=1), network, average.network, optimizer)
    other = nn.Linear(4, 5)
    with pytest.raises(UserError, match=r"the state of another network.*remove the folder .*checkpoint") as error:
        load_state(path, other, None, torch.optim.SGD(other.parameters()))
    assert len(error.value.lines) == 1


def test_a_file_that_is_no_checkpoint_is_one_line(tmp_path):
    path = tmp_path / "state.safetensors"
    for metadata in (None, {"state": "{"}, {"state": '{"warp": 2}'}, {"journal": '{"warp": 2}'}):
        save_tensors(path, {"x": torch.zeros(1)}, metadata)
        with pytest.raises(UserError, match="no checkpoint of this version"):
            read_state(path)


def test_what_earlier_versions_wrote_is_read_with_its_records(tmp_path):
    path = tmp_path / "state.safetensors"
    journal = {"epoch": 2, "step": 8, "best": [0.5], "best_epoch": 1, "done": False, "history": [{"epoch": 1}]}
    save_tensors(path, {"x": torch.zeros(1)}, {"journal": json.dumps(journal)})
    assert read_state(path) == (TrainingState(epoch=2, step=8, best=[0.5], best_epoch=1), [{"epoch": 1}])
