"""Embeddings of every clip by a frozen network: computed once a run, kept in its folder, shared by all folds."""

import hashlib
import json
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from accelerate.utils import gather_object

from audiosurvey.artefact.embedding import add_body
from audiosurvey.data.batches.batches import EvalBatches
from audiosurvey.data.readahead import ProgressCallback
from audiosurvey.data.table import Clip
from audiosurvey.errors import UserError
from audiosurvey.model.blocks.inputs import laid_out
from audiosurvey.model.encoders.file_encoder import FileEncoder
from audiosurvey.model.encoders.hub_encoder import mixing_encoder
from audiosurvey.model.network import Network
from audiosurvey.runs.stages.stage import Stage
from audiosurvey.tensorfile import load_tensors, save_tensors
from audiosurvey.training.head import mixed

FILE = "embeddings.safetensors"


@dataclass(frozen=True)
class Embeddings:
    """The features (W, N) before the classifier, of the windows of each clip and of each sound of no class; float32, on
    the CPU."""

    windows: dict[str, torch.Tensor]
    seconds: float
    """Time it took to compute them."""
    layers: int = 1
    """Layers of an encoder whose features follow one another: (W, L * N)."""

    def of(self, clip: Clip) -> torch.Tensor:
        return self.windows[clip.id]

    def mixed(self, mixture_L: torch.Tensor) -> "Embeddings":
        """Those of all layers, added with the shares of a mixture."""
        return self._each(lambda features_WLN: mixed(features_WLN, mixture_L))

    def layer(self, layer: int) -> "Embeddings":
        return self._each(lambda features_WLN: features_WLN[:, layer])

    def _each(self, change: Callable[[torch.Tensor], torch.Tensor]) -> "Embeddings":
        changed = {name: change(each.unflatten(1, (self.layers, -1))) for name, each in self.windows.items()}
        return Embeddings(changed, self.seconds)


def embed_all(stage: Stage, network: Network, folder: Path, progress: ProgressCallback | None = None) -> Embeddings:
    """Embeddings of all clips of the stage, in windows as in evaluation; read from `folder` if they are there for the
    same network and sounds. Leaves the network in evaluation mode.

    For a linear probe on an encoder with a mixture of its layers, they are those of every layer.

    Raises UserError, naming clips, if a feature is not finite.
    """
    accelerator, name = stage.accelerator, _name(stage, network)
    encoder = mixing_encoder(network) if stage.settings.head_only else None
    layers = 1 if encoder is None else len(encoder.mixture)
    name = name if layers == 1 else f"{name}, {layers} layers"
    kept = _read(folder / FILE, name)
    # All processes compute together if one of them, on a machine with a disk of its own, has no file.
    everywhere = all(gather_object([kept is not None]))
    if kept is not None and everywhere:
        return replace(kept, layers=layers)
    started = time.perf_counter()
    with encoder.layers_apart() if encoder is not None else nullcontext():
        windows = _compute(stage, network, progress)
    broken = [clip for clip, found in windows.items() if not found.isfinite().all()]
    if broken:
        raise UserError(f"train.head_only: the features of {len(broken)} clips are not finite, such as {broken[0]}")
    made = Embeddings(windows, time.perf_counter() - started, layers)
    if accelerator.is_main_process:
        _write(folder / FILE, name, made)
    accelerator.wait_for_everyone()
    return made


@torch.no_grad()
def _compute(stage: Stage, network: Network, progress: ProgressCallback | None) -> dict[str, torch.Tensor]:
    """Each of several processes computes its share, and all receive all."""
    accelerator, sounds = stage.accelerator, stage.sounds
    clips = (*sounds.table.clips, *(sounds.others.clips if sounds.others else ()))
    mine = clips[accelerator.process_index :: accelerator.num_processes]
    batches = EvalBatches(
        sounds.store,
        mine,
        clip_samples=sounds.window_samples,
        pad=sounds.config.pad,
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
    """A hash of what the embeddings depend on besides the config: weights of the body, sounds and windows."""
    digest = hashlib.sha256(f"{stage.sounds.store.hash} {stage.sounds.window_samples}".encode())
    add_body(digest, network)
    for block in network.blocks:
        if isinstance(block, FileEncoder):
            # The same file gives other features at another tensor.
            digest.update(f"{block.graph.model_dump_json()} {block.pool}".encode())
    return digest.hexdigest()


def _read(path: Path, name: str) -> Embeddings | None:
    if not path.exists():
        return None
    try:
        tensors, metadata = load_tensors(path)
    except UserError:
        # Damaged; the embeddings are computed again.
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
