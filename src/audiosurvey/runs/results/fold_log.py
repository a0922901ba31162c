"""metrics.jsonl of a fold: one line an epoch, written as soon as it has ended; also sent to the trackers."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from audiosurvey.atomic import naming, write_text
from audiosurvey.config.root import Config
from audiosurvey.runs.results.tracking import Tracking
from audiosurvey.training.checkpoint import read_state
from audiosurvey.training.listener import Listener

METRICS = "metrics.jsonl"


class FoldLog:
    """Writes each epoch's record, then calls `shown`. Lines after the checkpoint's epoch are dropped first."""

    def __init__(self, folder: Path, shown: Listener, tracking: Tracking | None) -> None:
        self.path = folder / METRICS
        self.shown, self.tracking = shown, tracking
        state = folder / "checkpoint" / "state.safetensors"
        history: Sequence[dict[str, Any]] = []
        if state.exists():
            reached, kept = read_state(state)
            history = kept or [record for record in read_history(folder) if record["epoch"] <= reached.epoch]
        folder.mkdir(parents=True, exist_ok=True)
        write_text(self.path, "".join(json.dumps(record) + "\n" for record in history))

    def on_step(self, epoch: int, step: int, steps_per_epoch: int, loss: float) -> None:
        self.shown.on_step(epoch, step, steps_per_epoch, loss)

    def on_epoch(self, record: dict[str, Any]) -> None:
        with naming(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        if self.tracking:
            self.tracking.scalars(record)
        self.shown.on_epoch(record)


@contextmanager
def epoch_log(
    folder: Path, shown: Listener, config: Config | None, accelerator: Accelerator
) -> Iterator[tuple[Listener, Tracking | None]]:
    """The listener of a stage that is trained in `folder`, and its trackers, which `config` names.

    Only the main process writes and has trackers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not accelerator.is_main_process:
        yield shown, None
    elif config is None:
        yield FoldLog(folder, shown, None), None
    else:
        run_name = f"{folder.parent.name}-{folder.name}"
        tracking = Tracking(config.tracking, folder, run_name, config.model_dump(mode="json"))
        try:
            yield FoldLog(folder, shown, tracking), tracking
        finally:
            tracking.close()


def read_history(folder: Path) -> Sequence[dict[str, Any]]:
    """The records of a fold's metrics.jsonl; none before it has started. Damaged lines are left out."""
    path = folder / METRICS
    if not path.exists():
        return []
    records = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        with suppress(ValueError):
            records.append(json.loads(line))
    return [record for record in records if isinstance(record, dict) and "epoch" in record]
