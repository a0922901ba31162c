"""Scores of clips and of their windows, in float32, and the score by which an epoch is chosen."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import nn

from audiosurvey.data.audio.windows import Pad
from audiosurvey.data.batches.batches import EvalBatches
from audiosurvey.data.store.store import Store
from audiosurvey.data.table import Clip
from audiosurvey.errors import UserError, some_of
from audiosurvey.model.blocks.inputs import laid_out
from audiosurvey.model.encoders.file_encoder import FileEncoder
from audiosurvey.training.metrics import Metrics
from audiosurvey.training.sound_scores import ScoredWindows


def monitored(metrics: Metrics) -> tuple[float, float]:
    """Accuracy (mAP for several labels), ties broken by loss; greater is better."""
    main = metrics["map"] if "map" in metrics else metrics["accuracy"]
    return (main or 0.0, -(metrics["loss"] or 0.0))


@torch.no_grad()
def score_windows(
    network: nn.Module,
    front_end: nn.Module,
    to_scores: Callable[[torch.Tensor], torch.Tensor],
    store: Store,
    clips: Sequence[Clip],
    *,
    clip_samples: int,
    pad: Pad,
    batch_size: int,
    num_workers: int = 0,
    reverse: bool = False,
    accelerator: Accelerator | None = None,
) -> ScoredWindows:
    """Uncalibrated probabilities of the windows of the clips, in their order, float32.

    Each of several processes scores its share, and all receive all scores. `reverse` reverses the order of the batches,
    on which the result must not depend. Raises UserError, naming the clips, if a score is not finite.
    """
    rank, world = (accelerator.process_index, accelerator.num_processes) if accelerator else (0, 1)
    mine = list(range(rank, len(clips), world))
    device = next(network.parameters()).device
    network.eval()
    batches = EvalBatches(
        store,
        [clips[row] for row in mine],
        clip_samples=clip_samples,
        pad=pad,
        batch_size=batch_size,
        num_workers=num_workers,
        reverse=reverse,
        pin_memory=device.type == "cuda",
    )
    found: dict[int, list[np.ndarray]] = {row: [] for row in mine}
    for windows in batches:
        heard = laid_out(front_end(windows.wave_BS.to(device, non_blocking=True)))
        scores_BK = to_scores(network(heard)).cpu().numpy()
        for row, score_K in zip(windows.rows, scores_BK, strict=True):
            found[mine[int(row)]].append(score_K)
    pairs = [(row, np.stack(scores[::-1] if reverse else scores)) for row, scores in found.items()]
    if world > 1:
        pairs = gather_object(pairs)
    of_clips = [scores_WK for _, scores_WK in sorted(pairs, key=lambda pair: pair[0])]
    broken = [clip.id for clip, scores_WK in zip(clips, of_clips, strict=True) if not np.isfinite(scores_WK).all()]
    if broken:
        shown = some_of(broken, 8)
        mend = "lower train.lr or set train.grad_clip_norm: 1"
        if file := next((part.name for part in network.modules() if isinstance(part, FileEncoder)), None):
            mend = f"{file} may give NaN or infinity for these clips: leave them out (dataset.ignore). Else {mend}"
        raise UserError(f"the scores are not finite; {mend}. Clips: {shown}")
    return ScoredWindows(np.concatenate(of_clips), np.array([len(scores_WK) for scores_WK in of_clips]))
