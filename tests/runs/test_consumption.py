"""Memory and energy: counters that overflow, that cannot be read, and that count the work of others too."""

import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch

from audiosurvey.runs import consumption
from audiosurvey.runs.consumption import metered, rapl_counters

CPU = torch.device("cpu")


def zone(folder: Path, name: str, joules: float, overflow: float = 1000.0) -> Path:
    folder.mkdir(parents=True)
    (folder / "name").write_text(f"{name}\n")
    (folder / "max_energy_range_uj").write_text(str(round(overflow * 1e6)))
    return put(folder, joules)


def put(folder: Path, joules: float) -> Path:
    # In one step, since it may be read at any moment.
    (folder / "new").write_text(f"{round(joules * 1e6)}\n")
    (folder / "new").replace(folder / "energy_uj")
    return folder


@pytest.fixture
def powercap(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setattr(consumption, "POWERCAP", tmp_path)
    # The process does all the work.
    monkeypatch.setattr(consumption._ProcessorShare, "share", lambda self: 1.0)
    return tmp_path


def test_energy_is_that_of_packages_and_their_memory(powercap: Path):
    package = zone(powercap / "intel-rapl:0", "package-0", 100)
    memory = zone(powercap / "intel-rapl:0:1", "dram", 10)
    zone(powercap / "intel-rapl:0:0", "core", 50)  # part of the package
    platform = zone(powercap / "intel-rapl:1", "psys", 500)  # all of it once more
    with metered(CPU) as used:
        for counter, joules in ((package, 460), (memory, 370), (platform, 9000)):
            put(counter, joules)
    assert used.energy_wh == pytest.approx((360 + 360) / 3600)


def test_a_counter_that_overflows_goes_on(powercap: Path):
    package = zone(powercap / "intel-rapl:0", "package-0", 990)
    with metered(CPU) as used:
        put(package, 26)
    assert used.energy_wh == pytest.approx(36 / 3600)


def test_counters_are_read_often_enough_to_see_each_overflow(powercap: Path, monkeypatch):
    monkeypatch.setattr(consumption, "SAMPLING_SECONDS", 0.01)
    package = zone(powercap / "intel-rapl:0", "package-0", 0)
    with metered(CPU) as used:
        for joules in (600, 200, 800, 400):  # 600, 600, 600 and 600 more
            put(package, joules)
            time.sleep(0.2)
    assert used.energy_wh == pytest.approx(2400 / 3600)


def test_no_energy_where_a_counter_is_missing_or_unreadable(powercap: Path, monkeypatch):
    with metered(CPU) as used:
        pass
    assert used.energy_wh is None
    zone(powercap / "intel-rapl:0", "package-0", 100)
    broken = zone(powercap / "intel-rapl:1", "package-1", 100)
    assert len(rapl_counters(powercap)) == 2
    (broken / "energy_uj").unlink()
    assert rapl_counters(powercap) == []


def test_a_counter_that_fails_later_leaves_the_training_alone(powercap: Path):
    package = zone(powercap / "intel-rapl:0", "package-0", 100)
    with metered(CPU) as used:
        (package / "energy_uj").unlink()
    assert used.energy_wh is None
    assert used.peak_memory_mb is not None


def test_a_process_has_the_share_of_its_processor_time(monkeypatch):
    own, everything = iter([10.0, 12.0]), iter([100.0, 108.0])
    monkeypatch.setattr(consumption.time, "process_time", lambda: next(own))
    monkeypatch.setattr(consumption.psutil, "cpu_times", lambda: SimpleNamespace(user=next(everything), idle=5.0))
    assert consumption._ProcessorShare().share() == pytest.approx(0.25)


def test_energy_of_a_gpu_and_of_the_processor_beside_it(powercap: Path, monkeypatch):
    read = iter([0, 1_000_000, 8_200_000])  # mJ
    nvml = ModuleType("pynvml")
    nvml.nvmlInit = lambda: None  # pyright: ignore[reportAttributeAccessIssue]
    nvml.nvmlDeviceGetHandleByUUID = lambda uuid: uuid  # pyright: ignore[reportAttributeAccessIssue]
    nvml.nvmlDeviceGetTotalEnergyConsumption = lambda handle: next(read)  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(uuid="1-2"))
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: None)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 3_000_000)
    package = zone(powercap / "intel-rapl:0", "package-0", 0)
    with metered(torch.device("cuda:0")) as used:
        put(package, 720)
    assert used.energy_wh == pytest.approx((7200 + 720) / 3600)
    assert used.peak_memory_mb == 3


def test_the_processor_alone_is_not_the_energy_of_a_gpu(powercap: Path, monkeypatch):
    zone(powercap / "intel-rapl:0", "package-0", 0)
    monkeypatch.setitem(sys.modules, "pynvml", None)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: None)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 0)
    with metered(torch.device("cuda:0")) as used:
        pass
    assert used.energy_wh is None


MEMORY = """
import numpy as np, torch
from audiosurvey.runs.consumption import metered, peak_memory_bytes

before = np.ones(60_000_000)  # 480 MB, gone before the block
high = peak_memory_bytes(torch.device("cpu")) / 1e6
del before
print(high)
for values in (10_000_000, 40_000_000):
    with metered(torch.device("cpu")) as used:
        block = np.ones(values)
    del block
    print(used.peak_memory_mb)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak can be reset on Linux only")
def test_the_peak_of_a_block_is_its_own():
    # In a process of its own: training makes the allocator keep what is freed.
    said = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True).stdout
    high, small, large = map(float, said.split())
    assert small < high - 300
    assert large == pytest.approx(small + 240, abs=20)
