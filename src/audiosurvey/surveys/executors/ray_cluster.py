"""Cells as tasks of a Ray cluster, or of a Ray that is started on this machine.

Ray restarts a task whose process or node has died; its cell then continues from its last epoch. Tasks exchange only
descriptions: results are files, so all nodes need the same file system.
"""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from audiosurvey.errors import ArgumentError, DiskFull, Interrupted
from audiosurvey.surveys.cell import Cell
from audiosurvey.surveys.executors.executor import Task, spare_collector
from audiosurvey.surveys.planning.opener import Opener
from audiosurvey.surveys.work import Outcome

_IN_FLIGHT = 2
"""Tasks handed to Ray for each slot."""
_MOST_RESTARTS = 5
"""Times that a local Ray is started again without a cell that has ended in between."""
_MOST_LOST = 20
"""Cells for each slot that may be lost with their node without one that has ended in between."""
_PAUSE = 1.0
"""Seconds after a cell was lost."""


class RayExecutor:
    """Trains as many cells at a time as the cluster has processors, or GPUs, for them.

    `address`: `local` starts a Ray on this machine, with `workers` slots; else the address of a cluster, or `auto`.
    """

    whole_device = True

    def __init__(self, address: str, *, workers: int | None = None, threads: int = 1, device: str = "cpu") -> None:
        self._address, self._workers = address, workers
        self._threads, self._device = threads, device
        self._ray = _connect(address, workers, threads)
        self.slots = self._slots_now()
        self._alone = False
        self._restarts = self._lost = 0

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[Cell, Outcome]]:
        remote = self._remote()
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
                    outcome = self._outcome(reference)
                    if outcome is None:
                        waiting.append(task)
                    else:
                        self._restarts = self._lost = 0
                        yield task.cell, outcome
                if not self._connected():
                    waiting.extend(running.values())
                    running.clear()
                    self._restart()
                    remote = self._remote()
                limit = 1 if self._alone else max(limit, self._slots_now() * _IN_FLIGHT)
        finally:
            for reference in running:
                self._ray.cancel(reference, force=True)

    def close(self) -> None:
        self._ray.shutdown()

    def _remote(self) -> Any:
        # A new process for each cell on a GPU: what its libraries keep there is freed.
        on_gpu = self._device == "cuda"
        return self._ray.remote(
            num_cpus=self._threads,
            num_gpus=1 if on_gpu else 0,
            max_retries=-1,
            retry_exceptions=False,
            max_calls=1 if on_gpu else 0,
        )(_train)

    def _outcome(self, reference: Any) -> Outcome | None:
        """What became of the cell; None if its node left."""
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, DiskFull):
                raise error.cause from None
            raise
        except self._ray.exceptions.RayError as error:
            self._lost += 1
            if self._lost > _MOST_LOST * self.slots:
                reason = f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"
                raise Interrupted(
                    f"{{ray}}: {self._lost} cells were lost in a row, and none has ended; the last one by {reason}",
                    ray=self._address,
                ) from None
            time.sleep(_PAUSE)
            return None

    def _connected(self) -> bool:
        """Whether the node of this process is there, through which all tasks are sent."""
        try:
            own = self._ray.get_runtime_context().get_node_id()
            return any(node["Alive"] for node in self._ray.nodes() if node["NodeID"] == own)
        except (self._ray.exceptions.RayError, ConnectionError, RuntimeError):
            return False

    def _restart(self) -> None:
        """Connects again. A local Ray has ended with its node, and is started again."""
        self._restarts += 1
        if self._restarts > _MOST_RESTARTS:
            raise Interrupted(
                f"{{ray}}: lost its node on this machine {self._restarts} times in a row; its logs are in the folder "
                "ray/session_latest of the system's temporary files",
                ray=self._address,
            )
        self._ray = _connect(self._address, self._workers, self._threads)

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
