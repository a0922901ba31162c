"""Scores of clips and of waves by a stored model."""

from collections.abc import Sequence

import numpy as np
import torch

from audiosurvey.artefact.folder import Model
from audiosurvey.data.sounds import Sounds
from audiosurvey.data.table import Clip
from audiosurvey.errors import UserError
from audiosurvey.model.blocks.inputs import laid_out
from audiosurvey.runs.evaluation.scores import score_windows
from audiosurvey.training.devices import pick_device
from audiosurvey.training.sound_scores import ScoredWindows


def score_with(
    model: Model, sounds: Sounds, clips: Sequence[Clip], device: str, *, reverse: bool = False
) -> ScoredWindows:
    """Uncalibrated scores of clips by a trained model, which is left on the CPU."""
    network = model.network.to(pick_device(device))
    scored = score_windows(
        network,
        model.front_end.to(pick_device(device)),
        model.to_scores,
        sounds.store,
        clips,
        clip_samples=model.clip_samples,
        pad=model.facts["pad"],
        batch_size=model.config.train.batch_size,
        num_workers=model.config.train.num_workers,
        reverse=reverse,
    )
    model.network.cpu()
    model.front_end.cpu()
    return scored


@torch.no_grad()
def score_waves(model: Model, waves: Sequence[np.ndarray]) -> np.ndarray:
    """Calibrated scores (N, K) of waves (S) at the model's rate, on its device: those of `predict`, up to rounding.

    Raises UserError for scores that are not finite.
    """
    windows = [model.windows(wave_S) for wave_S in waves]
    wave_BS = torch.from_numpy(np.concatenate(windows))
    device = model.network.classifier.weight.device
    scores_WK = torch.cat(
        [
            model.to_scores(model.network(laid_out(model.front_end(part_BS.to(device))))).cpu()
            for part_BS in wave_BS.split(model.config.train.batch_size)
        ]
    ).numpy()
    if not np.isfinite(scores_WK).all():
        raise UserError("the scores of the model are not finite")
    return model.temperatures.apply_all(ScoredWindows(scores_WK, np.array([len(part) for part in windows])))
