"""Cells as tasks of a Ray cluster, or of a Ray that is started on this machine.

Ray starts a task again when its process or its node has died; the cell then goes on from its last epoch. Tasks exchange
nothing but descriptions: results are files, so all nodes need the same file system.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from audiosurvey.errors import ArgumentError, DiskFull
from audiosurvey.survey.cell import Cell
from audiosurvey.survey.executors.executor import Task, spare_collector
from audiosurvey.survey.plan import Opener
from audiosurvey.survey.work import Outcome

_IN_FLIGHT = 2
"""Tasks handed to Ray for each slot."""


class RayExecutor:
    """Trains as many cells at a time as the cluster has processors, or GPUs, for them.

    `address`: `local` starts a Ray on this machine, with `workers` slots; else the address of a cluster, or `auto`.
    """

    whole_device = True

    def __init__(self, address: str, *, workers: int | None = None, threads: int = 1, device: str = "cpu") -> None:
        self._ray = _connect(address, workers, threads)
        self._threads, self._device = threads, device
        self.slots = self._slots_now()
        self._alone = False

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[Cell, Outcome]]:
        # A new process for each cell on a GPU: what its libraries keep there is freed.
        on_gpu = self._device == "cuda"
        remote = self._ray.remote(
            num_cpus=self._threads,
            num_gpus=1 if on_gpu else 0,
            max_retries=-1,
            retry_exceptions=False,
            max_calls=1 if on_gpu else 0,
        )(_train)
        waiting, running = deque(tasks), dict[Any, Task]()
        limit = 1 if self._alone else self.slots * _IN_FLIGHT
        try:
            while waiting or running:
                while waiting and len(running) < limit:
                    task = waiting.popleft()
                    running[remote.options(name=task.cell.title).remote(task)] = task
                ended, _ = self._ray.wait(list(running), num_returns=1, timeout=1.0)
                for reference in ended:
                    task = running.pop(reference)
                    yield task.cell, self._outcome(reference)
                limit = 1 if self._alone else max(limit, self._slots_now() * _IN_FLIGHT)
        finally:
            for reference in running:
                self._ray.cancel(reference, force=True)

    def close(self) -> None:
        self._ray.shutdown()

    def _outcome(self, reference: Any) -> Outcome:
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, DiskFull):
                raise error.cause from None
            raise
        except self._ray.exceptions.RayError:
            # The worker died more often than Ray retries, or its node left: it is tried again.
            return "busy"

    def _slots_now(self) -> int:
        """Nodes may join while the survey runs."""
        resources = self._ray.cluster_resources()
        name, share = ("GPU", 1) if self._device == "cuda" else ("CPU", self._threads)
        return max(1, int(resources.get(name, 1) // share))

    def alone(self) -> "RayExecutor":
        self._alone = True
        self.slots = 1
        return self


def _connect(address: str, workers: int | None, threads: int) -> Any:
    try:
        import ray  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise ArgumentError("{ray}: needs Ray; install it with pip install 'audiosurvey[survey]'", ray=...) from None
    if ray.is_initialized():
        ray.shutdown()
    options: dict[str, Any] = {"logging_level": "ERROR", "log_to_driver": False, "include_dashboard": False}
    if address == "local":
        options |= {"address": "local", "num_cpus": workers * threads if workers else None}
    else:
        options = {"address": address, "logging_level": "ERROR", "log_to_driver": False}
    try:
        ray.init(**options)
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise ArgumentError(
            f"{{ray}}: no cluster there ({reason}); start one with 'ray start --head'", ray=address
        ) from None
    return ray


_OPENER: Opener | None = None


def _train(task: Task) -> Outcome:
    """Runs in a worker of Ray, which keeps data open between its cells."""
    global _OPENER
    if _OPENER is None:
        _OPENER = Opener()
        spare_collector()
    return task.run(_OPENER)
