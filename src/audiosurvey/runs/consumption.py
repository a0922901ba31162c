"""Memory and energy used by a piece of work, as far as the system measures them."""

import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

from audiosurvey.runs.background import in_background

POWERCAP = Path("/sys/class/powercap")
PROCESS = Path("/proc/self")
SAMPLING_SECONDS = 60.0
"""RAPL counters overflow after some minutes at full power; they are read at least this often."""

Joules = Callable[[], float]
"""A counter of the energy used since any fixed time."""


@dataclass
class Consumption:
    """What the block of `metered` used; known once the block has ended."""

    peak_memory_mb: float | None = None
    """Highest use of the GPU's memory by tensors; without a GPU, highest resident memory of the process."""
    energy_wh: float | None = None
    """None if the system does not measure it."""


@contextmanager
def metered(device: torch.device, *, alone: bool = True) -> Iterator[Consumption]:
    """Measures the work of a block.

    Energy comes from the RAPL counters of the processor packages and their memory, prorated by the process's share
    of processor time, and for a GPU also from NVML (if pynvml is installed). `alone`: no other process trains the
    same network or uses the same GPU; otherwise the energy of a GPU cannot be attributed and is not measured.
    """
    used = Consumption()
    counters = _counters(device) if alone or device.type == "cpu" else None
    meters = [_Counter(source, source.read()) for source in counters] if counters else []
    processor = _ProcessorShare()
    _reset_peak_memory(device)

    def sample() -> None:
        for meter in meters:
            meter.sample()

    def watch(stop: threading.Event) -> None:
        while not stop.wait(SAMPLING_SECONDS):
            sample()

    if not meters:
        yield used
    else:
        with in_background(watch):
            yield used
        sample()
        if not any(meter.failed for meter in meters):
            share = processor.share()
            used.energy_wh = sum(meter.joules * (share if meter.source.shared else 1) for meter in meters) / 3600
    used.peak_memory_mb = peak_memory_bytes(device) / 1e6


@dataclass(frozen=True)
class _Source:
    read: Joules
    overflow: float | None = None
    """The counter starts again from 0 here; None: it never does."""
    shared: bool = False
    """Whether the counter covers the work of all processes."""


@dataclass
class _Counter:
    """Sums up the increments of a counter."""

    source: _Source
    last: float
    joules: float = 0.0
    failed: bool = False

    def sample(self) -> None:
        try:
            now = self.source.read()
        except Exception:  # files and drivers raise their own errors; a training goes on without the figure
            self.failed = True
            return
        step = now - self.last
        if step < 0 and self.source.overflow is None:
            self.failed = True
            return
        self.joules += step if step >= 0 else step + (self.source.overflow or 0)
        self.last = now


class _ProcessorShare:
    """The part of the processors' busy time since the start that this process has used."""

    def __init__(self) -> None:
        self.own, self.all = self._own(), self._all()

    def share(self) -> float:
        busy = self._all() - self.all
        return min(1.0, (self._own() - self.own) / busy) if busy > 0 else 1.0

    @staticmethod
    def _own() -> float:
        return time.process_time()

    @staticmethod
    def _all() -> float:
        times = psutil.cpu_times()
        return sum(getattr(times, name, 0.0) for name in ("user", "nice", "system", "irq", "softirq"))


def _counters(device: torch.device) -> Sequence[_Source]:
    """Counters of all that the device uses; none if some of it is not measured."""
    packages = rapl_counters(POWERCAP)
    if device.type == "cpu":
        return packages
    gpu = _nvml_counter(device)
    return [] if gpu is None else [gpu, *packages]


def rapl_counters(folder: Path) -> list[_Source]:
    """The processor packages and their memory, from the files of Linux's powercap interface; none if one is not
    readable."""
    found = []
    for zone in sorted(folder.glob("intel-rapl:*")):  # the name on processors of AMD too
        try:
            name = (zone / "name").read_text().strip()
            if not re.fullmatch(r"package-\d+|dram", name):
                continue  # cores are part of a package; psys is all packages and more
            counter, overflow = zone / "energy_uj", float((zone / "max_energy_range_uj").read_text()) / 1e6
            _read_microjoules(counter)
        except (OSError, ValueError):
            return []
        found.append(_Source(lambda counter=counter: _read_microjoules(counter), overflow, shared=True))
    return found


def _read_microjoules(counter: Path) -> float:
    return float(counter.read_text()) / 1e6


def _nvml_counter(device: torch.device) -> _Source | None:
    try:
        import pynvml  # pyright: ignore[reportMissingImports]

        pynvml.nvmlInit()
        uuid = torch.cuda.get_device_properties(device).uuid
        handle = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")
        pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except Exception:  # not installed, another vendor, an old GPU: the errors differ by version
        return None
    return _Source(lambda: pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1e3)


def _reset_peak_memory(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    with suppress(OSError):
        (PROCESS / "clear_refs").write_text("5")  # resets the peak of the resident memory (Linux)


def peak_memory_bytes(device: torch.device) -> int:
    """Highest use of the GPU's memory by tensors; without a GPU, highest resident memory of the process so far."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    with suppress(OSError):
        if found := re.search(r"^VmHWM:\s*(\d+) kB$", (PROCESS / "status").read_text(), re.MULTILINE):
            return int(found[1]) * 1024
    memory = psutil.Process().memory_info()
    # Windows reports the peak. Elsewhere the present value is a lower bound.
    return getattr(memory, "peak_wset", memory.rss)
