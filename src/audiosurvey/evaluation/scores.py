"""One score a clip: windows through front end and network in float32, averaged over the windows of a clip."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import nn

from audiosurvey.data.batches import EvalBatches
from audiosurvey.data.store import Store
from audiosurvey.data.table import Clip
from audiosurvey.data.windows import Pad
from audiosurvey.errors import UserError
from audiosurvey.model.inputs import laid_out


def truth(clips: Sequence[Clip], num_classes: int) -> np.ndarray:
    """What is true of each clip, (N, K) of 0 and 1."""
    truth_NK = np.zeros((len(clips), num_classes), dtype=np.float32)
    for row, clip in enumerate(clips):
        truth_NK[row, list(clip.labels)] = 1
    return truth_NK


@torch.no_grad()
def score_clips(
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
) -> np.ndarray:
    """Probabilities (N, K) of the clips in their order, float32.

    Of several processes each scores its share, and all get all scores. `reverse` goes through the batches backwards:
    the result must not depend on it. Raises UserError, naming the clips, where a score is not finite.
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
    sums: dict[int, tuple[np.ndarray, int]] = {}
    for windows in batches:
        heard = laid_out(front_end(windows.wave_BS.to(device, non_blocking=True)))
        scores_BK = to_scores(network(heard)).cpu().numpy().astype(np.float64)
        for row, score_K in zip(windows.rows, scores_BK, strict=True):
            total, count = sums.get(mine[int(row)], (0.0, 0))
            sums[mine[int(row)]] = (total + score_K, count + 1)
    pairs = [(row, total / count) for row, (total, count) in sums.items()]
    if world > 1:
        pairs = gather_object(pairs)
    scores_NK = np.stack([score for _, score in sorted(pairs, key=lambda pair: pair[0])]).astype(np.float32)
    broken = [clip.id for clip, score_K in zip(clips, scores_NK, strict=True) if not np.isfinite(score_K).all()]
    if broken:
        shown = ", ".join(broken[:8]) + (f" and {len(broken) - 8} more" if len(broken) > 8 else "")
        raise UserError(f"the scores are not finite; lower train.lr or set train.grad_clip_norm: 1. Clips: {shown}")
    return scores_NK
