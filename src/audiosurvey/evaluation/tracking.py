"""Scalars and pictures of a fold, sent to TensorBoard, Weights & Biases or MLflow through accelerate's trackers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from accelerate.tracking import LOGGER_TYPE_TO_CLASS, GeneralTracker, TensorBoardTracker


class Tracking:
    """The trackers of one fold. Nothing a tracker does reaches the training."""

    def __init__(self, names: Sequence[str], folder: Path, run_name: str, config: dict[str, Any]) -> None:
        self.trackers: list[GeneralTracker] = []
        for name in names:
            kind = LOGGER_TYPE_TO_CLASS[name]
            if name == "wandb":
                tracker = kind("audiosurvey", name=run_name, dir=str(folder))
            elif name == "mlflow":
                tracker = kind("audiosurvey", logging_dir=str(folder / "mlruns"), run_name=run_name)
            else:
                tracker = kind("", logging_dir=str(folder))
            tracker.start()
            self.trackers.append(tracker)

    def scalars(self, record: dict[str, Any]) -> None:
        """One epoch's record: `train_loss` becomes `train/loss`, the rest stands under its own name."""
        values = {_tag(name): value for name, value in record.items() if name != "epoch" and value is not None}
        for tracker in self.trackers:
            tracker.log(values, step=record["epoch"])

    def picture(self, tag: str, picture_HWC: np.ndarray) -> None:
        """A picture, uint8 (H, W, 3), for the trackers that take pictures."""
        for tracker in self.trackers:
            if hasattr(tracker, "log_images"):
                tracker.log_images({tag: picture_HWC[None]}, step=0, **_picture_options(tracker))  # type: ignore[attr-defined]

    def close(self) -> None:
        for tracker in self.trackers:
            tracker.finish()


def _tag(name: str) -> str:
    side, _, metric = name.partition("_")
    return f"{side}/{metric}" if side in ("train", "test", "val") else name


def _picture_options(tracker: GeneralTracker) -> dict[str, Any]:
    return {"dataformats": "NHWC"} if isinstance(tracker, TensorBoardTracker) else {}
