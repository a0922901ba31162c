"""Sends scalars and pictures of a fold to TensorBoard, Weights & Biases or MLflow through accelerate's trackers.

A tracker that fails is reported and left out; training goes on.
"""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from accelerate.tracking import LOGGER_TYPE_TO_CLASS, GeneralTracker, TensorBoardTracker

from audiosurvey.runs.optional import Say, in_one_line, warn


class Tracking:
    """The trackers of one fold."""

    def __init__(
        self, names: Sequence[str], folder: Path, run_name: str, config: dict[str, Any], say: Say = warn
    ) -> None:
        self._say = say
        self._by_name: dict[str, GeneralTracker] = {}
        self._watch_threads()
        for name in names:
            try:
                tracker = _made(name, folder, run_name)
                tracker.start()
            except Exception as error:
                self._tell(name, error)
            else:
                self._by_name[name] = tracker

    @property
    def trackers(self) -> list[GeneralTracker]:
        """Trackers that have not failed."""
        return list(self._by_name.values())

    def scalars(self, record: dict[str, Any]) -> None:
        """Sends the record of an epoch; `train_loss` becomes `train/loss`."""
        values = {_tag(name): value for name, value in record.items() if name != "epoch" and value is not None}
        self._each(lambda tracker: tracker.log(values, step=record["epoch"]))

    def picture(self, tag: str, picture_HWC: np.ndarray) -> None:
        """Sends a picture, uint8 (H, W, 3), to the trackers that take pictures."""

        def send(tracker: Any) -> None:
            if hasattr(tracker, "log_images"):
                tracker.log_images({tag: picture_HWC[None]}, step=0, **_picture_options(tracker))

        self._each(send)

    def close(self) -> None:
        self._each(lambda tracker: tracker.finish())
        threading.excepthook = self._hook_before

    def _each(self, action: Callable[[GeneralTracker], object]) -> None:
        for name, tracker in list(self._by_name.items()):
            try:
                action(tracker)
            except Exception as error:
                self._by_name.pop(name, None)
                self._tell(name, error)

    def _tell(self, name: str, error: BaseException) -> None:
        self._say(f"tracker {name}: {in_one_line(error)}; the run continues without it")

    def _watch_threads(self) -> None:
        """Hides tracebacks of TensorBoard's own thread: the next call of the tracker fails with the same error."""
        self._hook_before = before = threading.excepthook

        def hook(args: threading.ExceptHookArgs) -> None:
            if "tensorboard" not in type(args.thread).__module__:
                before(args)

        threading.excepthook = hook


def _made(name: str, folder: Path, run_name: str) -> GeneralTracker:
    kind = LOGGER_TYPE_TO_CLASS[name]
    if name == "wandb":
        return kind("audiosurvey", name=run_name, dir=str(folder))
    if name == "mlflow":
        return kind("audiosurvey", logging_dir=str(folder / "mlruns"), run_name=run_name)
    return kind("", logging_dir=str(folder))


def _tag(name: str) -> str:
    side, _, metric = name.partition("_")
    return f"{side}/{metric}" if side in ("train", "test", "val") else name


def _picture_options(tracker: GeneralTracker) -> dict[str, Any]:
    return {"dataformats": "NHWC"} if isinstance(tracker, TensorBoardTracker) else {}
