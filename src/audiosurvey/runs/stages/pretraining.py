"""Pretraining: another data set first, once a run; every fold then starts from those weights.

No recording of the target data set is heard here: clips whose source or file occurs anywhere in the target table are
left out, whichever fold they belong to, and counted.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn

from audiosurvey.config.root import Config
from audiosurvey.data.sets.classes import select_classes
from audiosurvey.data.sounds import Sounds
from audiosurvey.data.splits.folds import make_split, without_clips
from audiosurvey.data.splits.provenance import Provenance
from audiosurvey.data.table import Clip, Table
from audiosurvey.errors import UserError
from audiosurvey.model.blocks.transformer import resize_positions
from audiosurvey.model.faults import shape_faults
from audiosurvey.model.network import Network
from audiosurvey.runs.job import monitored
from audiosurvey.runs.results.results import read_json, write_json
from audiosurvey.runs.stages.stage import Stage
from audiosurvey.runs.stages.starting import Start
from audiosurvey.tensorfile import load_tensors, save_tensors
from audiosurvey.training.loop import Evaluation, Evaluator, Listener

WEIGHTS = "weights.safetensors"
ABOUT = "pretraining.json"
_CLASSIFIER = "classifier."


@dataclass(frozen=True)
class Pretrained:
    """Weights that every fold starts from."""

    name: str
    tensors: dict[str, torch.Tensor]
    about: dict[str, Any]
    heard: Provenance
    """The clips that took part."""

    def put_into(self, network: Network) -> None:
        """Loads everything but the classifier, which stays fresh.

        Front end and rate are the config's in both stages. Where clips have another length, the positions of their
        tokens are brought to it; no other size depends on it.
        """
        body = {name: value for name, value in self.tensors.items() if not name.startswith(_CLASSIFIER)}
        resize_positions(body, network)
        fresh = {name: value for name, value in network.state_dict().items() if name.startswith(_CLASSIFIER)}
        network.load_state_dict(body | fresh)


def pretrain(
    config: Config,
    sounds: Sounds,
    target: Sounds,
    *,
    accelerator: Accelerator,
    folder: Path,
    listener: Listener,
    start: Start | None = None,
) -> Pretrained:
    """Pretrains on `sounds`, or takes what `folder` holds from before. `config` is resolved."""
    done = finished(folder)
    if done is not None:
        if done.about["hash"] != sounds.store.hash:
            raise UserError(f"{folder}: the pretraining data changed since the run began; give another --run-dir")
        return done
    table, left_out = outside(sounds, target)
    settings = config.pretrain
    train_clips, held_out = _split(table, bool(settings.patience))
    remaining = Sounds(sounds.config, table, sounds.store)
    stage = Stage(config, remaining, train_clips, accelerator=accelerator, settings=settings, name="pretrain", fold=0)
    network = stage.build()
    if start is not None:
        start.put_into(network)
    trainer = stage.trainer(network, _evaluator(stage, held_out), folder, listener)
    chosen = trainer.run(resume=True)
    about = {
        "dataset": table.name,
        "hash": sounds.store.hash,
        "licence": table.licence,
        "classes": list(table.classes),
        "clips": len(train_clips),
        "held_out": len(held_out),
        "left_out": [clip.id for clip in left_out],
        "ignored": [{"clip": left.id, "reason": left.reason} for left in sounds.table.ignored],
        "skipped": [{"clip": bad.id, "reason": bad.reason} for bad in sounds.store.skipped],
        "epochs": trainer.state.epoch,
        "seconds": round(sum(record["seconds"] for record in trainer.history), 3),
        "last": (trainer.history or [{}])[-1],
    }
    heard = Provenance.of((*train_clips, *held_out), sounds.store)
    if accelerator.is_main_process:
        write_json(folder / ABOUT, about | {"heard": heard.as_json()})
        save_tensors(folder / WEIGHTS, chosen.state_dict())
    accelerator.wait_for_everyone()
    return Pretrained(table.name, {k: v.cpu() for k, v in chosen.state_dict().items()}, about, heard)


def check_length(config: Config, sounds: Sounds) -> None:
    """Raises UserError, before anything is trained, where the network cannot take clips so short."""
    faults = shape_faults(config.model, config.input_shape_of(sounds.window_samples))
    if faults:
        seconds = f"{sounds.window_samples / config.sample_rate:g} s"
        raise UserError(f"pretrain.dataset: clips of {seconds} are too short for the network: {faults[0].message}")


def finished(folder: Path) -> Pretrained | None:
    """What a pretraining that came to its end left in `folder`. Raises UserError for damaged files."""
    if not (folder / WEIGHTS).exists():
        return None
    mend = f"remove {(folder / WEIGHTS).as_posix()}, and --resume writes both anew from the checkpoint"
    about = read_json(folder / ABOUT, mend)
    try:
        heard = Provenance.from_json(about.pop("heard"))
        name, _ = about["dataset"], about["hash"]
    except (KeyError, ValueError, TypeError):
        raise UserError(f"{folder / ABOUT}: damaged, without dataset, hash or heard; {mend}") from None
    return Pretrained(name, load_tensors(folder / WEIGHTS, mend)[0], about, heard)


def outside(sounds: Sounds, target: Sounds) -> tuple[Table, tuple[Clip, ...]]:
    """The pretraining table without recordings of the target's, and what was left out.

    Recordings are recognised as in `data/splits/provenance.py`; in two tables of one folder, sources derived from
    file names count too. Raises UserError where nothing is left.
    """
    clips, targets = sounds.table.clips, target.table.clips
    known = Provenance.of(targets, target.store).known(clips, sounds.store)
    if sounds.table.root.resolve() == target.table.root.resolve():
        sources = {clip.source for clip in targets if clip.source is not None}
        known |= {clip.id for clip in clips if clip.source in sources}
    kept, left_out = without_clips(sounds.table, known)
    if not kept.clips:
        raise UserError(
            f"pretrain.dataset: every recording of {sounds.table.name} is also in {target.table.name}; nothing is left"
        )
    return _with_clips(kept), left_out


def _with_clips(table: Table) -> Table:
    """The table without classes of which every clip was left out."""
    left = {label for clip in table.clips for label in clip.labels}
    if len(left) == len(table.classes):
        return table
    return select_classes(table, [table.classes[label] for label in sorted(left)], None)


def _split(table: Table, by_patience: bool) -> tuple[tuple[Clip, ...], tuple[Clip, ...]]:
    """All clips train; where patience ends the stage, one fold is held out to measure by."""
    if not by_patience:
        return table.clips, ()
    split = make_split(table, table.folds[0], "last", allow_leakage=True)
    return split.train, split.test


def _evaluator(stage: Stage, held_out: tuple[Clip, ...]) -> Evaluator:
    def evaluator(network: Callable[[], nn.Module], epoch: int, last: bool) -> Evaluation:
        if not held_out:
            return Evaluation({})
        seen = stage.metrics(network(), held_out)
        return Evaluation({f"val_{name}": value for name, value in seen.items()}, monitored(seen))

    return evaluator
