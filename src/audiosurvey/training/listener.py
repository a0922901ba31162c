"""The interface of listeners, which follow the steps and epochs of training."""

from typing import Any, Protocol

Record = dict[str, Any]
"""One line of metrics.jsonl."""


class Listener(Protocol):
    """Follows the progress of a stage. `on_epoch` is called before the checkpoint of the epoch is written."""

    def on_step(self, epoch: int, step: int, steps_per_epoch: int, loss: float) -> None:
        """`loss` is that of the last step that was read, up to `READ_EVERY` steps ago."""
        ...

    def on_epoch(self, record: Record) -> None: ...
