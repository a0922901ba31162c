"""What a frozen network makes of every clip: computed once a run, kept in its folder, shared by all folds.

Enters: sounds and a network whose body is not trained; leaves: the features before its classifier, of each window.
"""

import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate.utils import gather_object

from audiosurvey.data.batches.batches import EvalBatches
from audiosurvey.data.readahead import ProgressCallback
from audiosurvey.data.table import Clip
from audiosurvey.errors import UserError
from audiosurvey.model.blocks.inputs import laid_out
from audiosurvey.model.network import Network
from audiosurvey.runs.stages.stage import Stage
from audiosurvey.tensorfile import load_tensors, save_tensors

FILE = "embeddings.safetensors"


@dataclass(frozen=True)
class Embeddings:
    """The windows' features (W, N) of each clip, float32 on the processor, and what they cost."""

    windows: dict[str, torch.Tensor]
    seconds: float

    def of(self, clip: Clip) -> torch.Tensor:
        return self.windows[clip.id]


def embed_all(stage: Stage, network: Network, folder: Path, progress: ProgressCallback | None = None) -> Embeddings:
    """Of all clips of the stage's sounds, in windows as evaluation has them; taken from `folder` where they are there
    already, of the same network and sounds. The network is left in evaluation mode.

    Raises UserError, naming clips, where a feature is not finite.
    """
    name = _name(stage, network)
    kept = _read(folder / FILE, name)
    if kept is not None:
        return kept
    started = time.perf_counter()
    windows = _compute(stage, network, progress)
    broken = [clip for clip, found in windows.items() if not found.isfinite().all()]
    if broken:
        raise UserError(f"train.head_only: the features of {len(broken)} clips are not finite, such as {broken[0]}")
    made = Embeddings(windows, time.perf_counter() - started)
    if stage.accelerator.is_main_process:
        _write(folder / FILE, name, made)
    stage.accelerator.wait_for_everyone()
    return made


@torch.no_grad()
def _compute(stage: Stage, network: Network, progress: ProgressCallback | None) -> dict[str, torch.Tensor]:
    """Of several processes each takes its share, and all get all."""
    accelerator, clips = stage.accelerator, stage.sounds.table.clips
    mine = clips[accelerator.process_index :: accelerator.num_processes]
    batches = EvalBatches(
        stage.sounds.store,
        mine,
        clip_samples=stage.sounds.window_samples,
        pad=stage.sounds.config.pad,
        batch_size=stage.settings.batch_size,
        num_workers=stage.settings.num_workers,
    )
    network.eval()
    found: dict[str, list[torch.Tensor]] = {clip.id: [] for clip in mine}
    for done, windows in enumerate(batches, start=1):
        heard = laid_out(stage.front_end(windows.wave_BS.to(accelerator.device)))
        embedding_BN = network.embed(heard).float().cpu()
        for row, embedding_N in zip(windows.rows, embedding_BN, strict=True):
            found[mine[int(row)].id].append(embedding_N)
        if progress:
            progress(done, len(batches))
    pairs = [(clip, torch.stack(each)) for clip, each in found.items()]
    return dict(gather_object(pairs) if accelerator.num_processes > 1 else pairs)


def _name(stage: Stage, network: Network) -> str:
    """Of the body's weights, the sounds and their windows: what the embeddings are a function of, besides the config
    that a run folder is made with."""
    digest = hashlib.sha256(f"{stage.sounds.store.hash} {stage.sounds.window_samples}".encode())
    for name, value in network.state_dict().items():
        if not name.startswith("classifier."):
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _read(path: Path, name: str) -> Embeddings | None:
    if not path.exists():
        return None
    try:
        tensors, metadata = load_tensors(path)
    except UserError:
        # Damaged; it holds nothing that is not computed again.
        return None
    if metadata.get("name") != name:
        return None
    clips, counts = json.loads(metadata["clips"]), tensors["windows"].tolist()
    parts = tensors["embedding"].split(counts)
    return Embeddings(dict(zip(clips, parts, strict=True)), float(metadata["seconds"]))


def _write(path: Path, name: str, made: Embeddings) -> None:
    counts = torch.tensor([len(found) for found in made.windows.values()])
    tensors = {"embedding": torch.cat(list(made.windows.values())), "windows": counts}
    metadata = {"name": name, "clips": json.dumps(list(made.windows)), "seconds": repr(made.seconds)}
    save_tensors(path, tensors, metadata)
