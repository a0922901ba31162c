"""predictions.csv: one row a clip, with its label and the probability of every class."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from audiosurvey.atomic import replacing
from audiosurvey.data.table import Clip


def write_predictions(
    path: Path, clips: Sequence[Clip], fold: int, classes: Sequence[str], scores_NK: np.ndarray
) -> None:
    """Columns clip, fold, label (several joined with `|`), then `p:CLASS`; written beside and renamed."""
    frame = pd.DataFrame(
        {
            "clip": [clip.id for clip in clips],
            "fold": fold,
            "label": ["|".join(classes[label] for label in clip.labels) for clip in clips],
        }
    )
    probabilities = pd.DataFrame(scores_NK, columns=pd.Index([f"p:{name}" for name in classes]))
    with replacing(path) as beside:
        pd.concat([frame, probabilities], axis=1).to_csv(beside, index=False, float_format="%.9g")


def read_predictions(path: Path) -> tuple[list[str], list[str], np.ndarray]:
    """Clip ids, label cells and scores (N, K) of a predictions.csv."""
    frame = pd.read_csv(path, dtype={"clip": str, "label": str}, keep_default_na=False)
    columns = [name for name in frame.columns if name.startswith("p:")]
    return frame["clip"].tolist(), frame["label"].tolist(), frame[columns].to_numpy(dtype=np.float32)
