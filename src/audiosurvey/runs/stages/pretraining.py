"""Pretraining: training on another data set first, once a run; every fold then starts from these weights.

No recording of the target data set is used here: clips whose source or file occurs anywhere in the target table are
left out, whatever their fold, and counted.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from torch import nn

from audiosurvey.config.root import Config
from audiosurvey.data.sets.classes import select_classes
from audiosurvey.data.sounds import Sounds
from audiosurvey.data.splits.folds import make_split, without_clips
from audiosurvey.data.splits.provenance import Provenance
from audiosurvey.data.table import Clip, Table
from audiosurvey.errors import ArgumentError, UserError
from audiosurvey.model.blocks.transformer import resize_positions
from audiosurvey.model.families.ced import resize_patch_positions
from audiosurvey.model.faults import shape_faults
from audiosurvey.model.network import Network
from audiosurvey.runs.evaluation.scores import monitored
from audiosurvey.runs.listener import RunListener
from audiosurvey.runs.results.facts import PretrainingFacts, clips_left_out
from audiosurvey.runs.results.fold_log import epoch_log
from audiosurvey.runs.results.run_folder import RunFolder
from audiosurvey.runs.results.stored import parse_part, read_json, write_json
from audiosurvey.runs.stages.stage import Stage
from audiosurvey.runs.stages.starting import PretrainedWeights
from audiosurvey.tensorfile import WEIGHTS, load_tensors, save_tensors
from audiosurvey.training.loop import Evaluation, Evaluator

FACTS = "pretraining.json"
_CLASSIFIER = "classifier."


@dataclass(frozen=True)
class PretrainingResult:
    """A finished pretraining, whose weights every fold starts from."""

    facts: PretrainingFacts
    tensors: dict[str, torch.Tensor]
    heard: Provenance
    """The clips it was trained on."""

    def put_into(self, network: Network) -> None:
        """Loads everything but the classifier, which stays as it was initialised.

        Front end and sample rate are the same in both stages. If the clips have another length, the position embeddings
        are resized; no other size depends on it.
        """
        body = {name: value for name, value in self.tensors.items() if not name.startswith(_CLASSIFIER)}
        resize_positions(body, network)
        resize_patch_positions(body, network)
        fresh = {name: value for name, value in network.state_dict().items() if name.startswith(_CLASSIFIER)}
        network.load_state_dict(body | fresh)


def pretrain(
    config: Config,
    sounds: Sounds,
    target: Sounds,
    run: RunFolder,
    *,
    accelerator: Accelerator,
    init: PretrainedWeights | None,
    listener: RunListener,
) -> PretrainingResult:
    """Pretrains on `sounds`, or reads the result if the run has it already. `config` is resolved."""
    folder = run.pretraining
    done = finished(run)
    if done is not None:
        if done.facts.hash != sounds.store.hash:
            raise ArgumentError(
                f"{folder}: the pretraining data changed since the run began; give another {{run_dir}}", run_dir=...
            )
        return done
    table, left_out = outside(sounds, target)
    settings = config.pretrain
    train_clips, held_out = _split(table, bool(settings.patience))
    remaining = Sounds(sounds.config, table, sounds.store)
    stage = Stage(config, remaining, train_clips, accelerator=accelerator, settings=settings, name="pretrain", fold=0)
    network = stage.build()
    if init is not None:
        init.weights.put_into(network)
    with (
        listener.stages([f"pretraining on {sounds.table.title}"], settings.epochs or 0) as (shown,),
        epoch_log(folder, shown, None, accelerator) as (log, _),
    ):
        trainer = stage.trainer(network, _evaluator(stage, held_out), folder, log)
        chosen = trainer.run(resume=True)
    facts = PretrainingFacts(
        dataset=table.name,
        hash=sounds.store.hash,
        licence=table.licence,
        classes=list(table.classes),
        clips=len(train_clips),
        held_out=len(held_out),
        left_out=[clip.id for clip in left_out],
        ignored=clips_left_out(sounds.table.ignored),
        skipped=clips_left_out(sounds.store.skipped),
        epochs=trainer.state.epoch,
        seconds=round(sum(record["seconds"] for record in trainer.history), 3),
        last=(trainer.history or [{}])[-1],
    )
    heard = Provenance.of((*train_clips, *held_out), sounds.store)
    if accelerator.is_main_process:
        write_json(folder / FACTS, facts.as_json() | {"heard": heard.as_json()})
        save_tensors(folder / WEIGHTS, chosen.state_dict())
    accelerator.wait_for_everyone()
    accelerator.free_memory()
    return PretrainingResult(facts, {k: v.cpu() for k, v in chosen.state_dict().items()}, heard)


def check_length(config: Config, sounds: Sounds) -> None:
    """Raises UserError if clips of this length are too short for the network."""
    faults = shape_faults(config.model, config.input_shape_of(sounds.window_samples))
    if faults:
        seconds = f"{sounds.window_samples / config.sample_rate:g} s"
        raise UserError(f"pretrain.dataset: clips of {seconds} are too short for the network: {faults[0].message}")


def finished(run: RunFolder) -> PretrainingResult | None:
    """The result of a pretraining that has ended. Raises UserError for damaged files."""
    weights, facts = run.pretraining / WEIGHTS, run.pretraining / FACTS
    if not weights.exists():
        return None
    mend = f"remove {weights.as_posix()}, and resuming the run writes both again from the checkpoint"
    stored = read_json(facts, mend)
    try:
        heard = Provenance.from_json(stored.pop("heard"))
    except (KeyError, ValueError, TypeError):
        raise UserError(f"{facts}: damaged, without the clips of the pretraining; {mend}") from None
    return PretrainingResult(parse_part(PretrainingFacts, stored, facts, mend), load_tensors(weights, mend)[0], heard)


def outside(sounds: Sounds, target: Sounds) -> tuple[Table, tuple[Clip, ...]]:
    """The pretraining table without recordings of the target data, and the clips left out.

    Recordings are recognised as in `data/splits/provenance.py`; if both tables are of one folder, sources derived from
    file names count too. Raises UserError if nothing is left.
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
    """The table without classes that have lost all their clips."""
    left = {label for clip in table.clips for label in clip.labels}
    if len(left) == len(table.classes):
        return table
    return select_classes(table, [table.classes[label] for label in sorted(left)], None)


def _split(table: Table, by_patience: bool) -> tuple[tuple[Clip, ...], tuple[Clip, ...]]:
    """Training and held-out clips; a fold is held out only if patience ends the stage."""
    if not by_patience:
        return table.clips, ()
    split = make_split(table, table.folds[0], "last", allow_leakage=True)
    return split.train, split.test


def _evaluator(stage: Stage, held_out: tuple[Clip, ...]) -> Evaluator:
    measured = 0

    def evaluator(network: Callable[[], nn.Module], epoch: int, last: bool) -> Evaluation:
        nonlocal measured
        if not held_out or epoch == measured:
            # Asked again, where patience has made this epoch the last one: nothing more is measured then.
            return Evaluation({})
        measured = epoch
        metrics = stage.measure(stage.scored(network(), held_out), held_out)
        return Evaluation({f"val_{name}": value for name, value in metrics.items()}, monitored(metrics))

    return evaluator
