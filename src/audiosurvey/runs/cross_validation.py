"""Cross-validation in a run folder: fold after fold, each one's results written as soon as it ends."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator

from audiosurvey.artefact.calibration import Calibration
from audiosurvey.artefact.folder import save_artefact
from audiosurvey.artefact.golden import choose_golden
from audiosurvey.config.root import Config
from audiosurvey.data.sounds import Sounds
from audiosurvey.data.splits.folds import Split, make_split, split_notes
from audiosurvey.data.splits.provenance import Provenance
from audiosurvey.data.table import Clip, Table
from audiosurvey.model.network import Network
from audiosurvey.report.console import FoldProgress, progress_bar
from audiosurvey.report.figures import draw_batch, draw_confusion, draw_curves
from audiosurvey.report.summary import marks
from audiosurvey.runs.evaluation.calibrating import calibrate_fold
from audiosurvey.runs.job import FoldOutcome, train_fold
from audiosurvey.runs.measuring import training_range
from audiosurvey.runs.optional import optional
from audiosurvey.runs.results.fold_log import FoldLog, read_history
from audiosurvey.runs.results.predictions import write_predictions
from audiosurvey.runs.results.results import Results, add_fold, metric_names, new_results, write_json
from audiosurvey.runs.results.run_folder import RunFolder
from audiosurvey.runs.results.tracking import Tracking
from audiosurvey.runs.stages.embeddings import Embeddings, embed_all
from audiosurvey.runs.stages.pretraining import Pretrained, pretrain
from audiosurvey.runs.stages.probe import fit_probe, probe_fold
from audiosurvey.runs.stages.stage import Stage
from audiosurvey.runs.stages.starting import Start
from audiosurvey.training.loop import Listener
from audiosurvey.training.loss import Loss, class_weights


@dataclass(frozen=True)
class Recorded:
    """What the results of a run take in when a fold has ended."""

    row: dict[str, Any]
    confusion_KK: np.ndarray | None
    """None for multi-label data."""


class CrossValidation:
    """A run: which folds are asked for, which are done, and how one more is trained and recorded."""

    def __init__(
        self,
        run: RunFolder,
        config: Config,
        resolved_yaml: str,
        sounds: Sounds,
        *,
        folds: Sequence[int] | None,
        accelerator: Accelerator,
        start: Start | None = None,
        quiet: bool = False,
    ) -> None:
        """`config` is resolved; `start`: its `model.init`. Raises UserError for a fold that is not there, or a leak."""
        self.start = start
        self.run, self.config, self.resolved_yaml, self.sounds = run, config, resolved_yaml, sounds
        self.accelerator, self.quiet = accelerator, quiet
        asked = sorted(set(folds)) if folds else sounds.table.folds
        self.splits = {fold: self._split(sounds.table, fold) for fold in asked}
        notes = split_notes(sounds.table, self.splits.values())
        self.sounds = sounds = replace(sounds, table=replace(sounds.table, notes=(*sounds.table.notes, *notes)))
        self.pretrained: Pretrained | None = None
        self._embeddings: Embeddings | None = None
        self._head_seconds = 0.0
        """What the fit of the classifier before the steps took (`train.head_first`), of the fold at hand."""
        self._relay: Listener | None = None
        """Who is told how a fold goes on, in place of the terminal, where it is trained apart."""
        # Told before anything is written: classes that loss.class_weights names and the data does not have.
        class_weights(config.loss, sounds.table.classes, (), sounds.table.multi_label)
        leaking = any(split.leaking for split in self.splits.values())
        if start is not None:
            allowed = config.protocol.allow_leakage
            leaking |= start.refuse_seen(self.splits.values(), sounds, allow_leakage=allowed)
        self.results: Results = run.read_results() or new_results(config, sounds.table, sounds.store, leaking=leaking)
        self.results["leaking"] = self.results["leaking"] or leaking
        if start is not None:
            self.results["init"] = start.name

    @property
    def pending(self) -> list[int]:
        """Folds that are asked for and not done."""
        done = {row["fold"] for row in self.results["folds"]}
        return [fold for fold in self.splits if fold not in done]

    def stage(self, fold: int) -> Stage:
        return Stage(
            self.config,
            self.sounds,
            self.splits[fold].train,
            accelerator=self.accelerator,
            settings=self.config.train,
            name="train",
            fold=fold,
        )

    def pretrain_on(self, other: Sounds) -> None:
        """The stage before: trained once, or taken from the run folder."""
        settings = self.config.pretrain
        with FoldProgress(f"pretraining on {other.table.name}", settings.epochs or 0, quiet=self.silent) as shown:
            log = FoldLog(self.run.pretraining, shown, None) if self.accelerator.is_main_process else shown
            self.pretrained = pretrain(
                self.config,
                other,
                self.sounds,
                accelerator=self.accelerator,
                folder=self.run.pretraining,
                listener=log,
                start=self.start,
            )
        self.accelerator.free_memory()
        self.start_from(self.pretrained)

    def start_from(self, pretrained: Pretrained) -> None:
        """The folds start from the weights of this finished pretraining."""
        self.pretrained = pretrained
        before = [self.start.name] if self.start else []
        self.results["init"] = ", then ".join([*before, pretrained.name])
        self.results["pretraining"] = pretrained.about

    def title(self, fold: int) -> str:
        return f"fold {fold} of {len(self.sounds.table.folds)}"

    def train(self, fold: int) -> None:
        """Trains one fold to its end, writes what it found, and with it the results of the run so far."""
        self._end(fold, self._trained(fold))

    def train_apart(self, fold: int, relay: Listener, *, beside: int) -> Recorded:
        """As `train`, beside other folds of the same run: writes the fold's own folder alone, and returns what whoever
        holds the run is to `take`. `beside`: how many folds share the machine; `relay` is told what happens."""
        self._relay = relay
        outcome = self._trained(fold)
        outcome.row.update(side_by_side=beside, threads=torch.get_num_threads())
        self._keep(fold, outcome)
        return Recorded(outcome.row, outcome.confusion_KK)

    def make_ready(self, fold: int) -> None:
        """Writes what folds that are trained apart find in the run folder: what became of the weights that they start
        from and, where the classifier is fitted first (`train.head_first`), the embeddings of all clips."""
        if self.start is None and not self.config.train.head_first:
            return
        stage = self.stage(fold)
        network = stage.build()
        self._put_weights(network)
        if self.config.train.head_first:
            self.embed(stage, network)

    def _trained(self, fold: int) -> FoldOutcome:
        folder = self.run.fold(fold)
        with self.listening(folder, self.title(fold), self.config.train.epochs or 0) as (listener, tracking):
            outcome = train_fold(
                self.config,
                self.sounds,
                self.splits[fold],
                accelerator=self.accelerator,
                start=lambda stage, network: self.put_start(stage, network, tracking),
                folder=folder,
                listener=listener,
            )
        self.accelerator.free_memory()
        outcome.row["seconds"] = round(outcome.row["seconds"] + self._head_seconds, 3)
        return outcome

    def probe(self, fold: int) -> None:
        """As `train`, of a classifier alone, fitted to what the network makes of the clips."""
        with self.listening(self.run.fold(fold), self.title(fold), 1) as (listener, _):
            outcome = probe_fold(
                self.config,
                self.sounds,
                self.splits[fold],
                accelerator=self.accelerator,
                start=lambda stage, network: self.put_start(stage, network, None),
                embed=self.embed,
                listener=listener,
                carries_embedding=not self.results["folds"],
            )
        self._end(fold, outcome)

    def embed(self, stage: Stage, network: Network) -> Embeddings:
        """What the network makes of all clips, computed once a run."""
        if self._embeddings is None:
            clips = len(self.sounds.table.clips)
            with nullcontext() if self.silent else progress_bar(f"embedding {clips} clips, in batches") as moved:
                self._embeddings = embed_all(stage, network, self.run.path, moved)
        return self._embeddings

    def take(self, recorded: Recorded) -> None:
        """Puts a fold that has ended into the results, and writes them."""
        add_fold(self.results, recorded.row, recorded.confusion_KK)
        write_json(self.run.results_path, self.results)
        self.draw()

    def _end(self, fold: int, outcome: FoldOutcome) -> None:
        if self.accelerator.is_main_process:
            self._keep(fold, outcome)
            self.take(Recorded(outcome.row, outcome.confusion_KK))
        self.accelerator.wait_for_everyone()

    @contextmanager
    def listening(self, folder: Path, title: str, epochs: int) -> Iterator[tuple[Listener, Tracking | None]]:
        """Who is told how a stage in `folder` goes on: terminal, log, trackers (the main process's)."""
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            shown = self._relay or stack.enter_context(FoldProgress(title, epochs, quiet=self.silent))
            if not self.accelerator.is_main_process:
                yield shown, None
                return
            name = f"{self.run.path.name}-{folder.name}"
            tracking = Tracking(self.config.tracking, folder, name, self.config.model_dump(mode="json"))
            stack.callback(tracking.close)
            yield FoldLog(folder, shown, tracking), tracking

    def put_start(self, stage: Stage, network: Network, tracking: Tracking | None) -> None:
        """Puts in what the run starts from, and shows the trackers the first batch."""
        self._put_weights(network)
        if stage.settings.head_first:
            embeddings = self.embed(stage, network)
            started = time.perf_counter()
            fit_probe(stage.config, self.sounds, stage.train_clips, network, embeddings)
            # Those of the embeddings count once a run, with its first fold.
            first = not self.results["folds"] and (self._relay is None or stage.fold == next(iter(self.splits)))
            self._head_seconds = time.perf_counter() - started + (embeddings.seconds if first else 0.0)
        if tracking and tracking.trackers:
            with optional("picture of the first batch"):
                batch, mel_BCTF = stage.first_batch()
                ids = [clip.id for clip in batch.clips]
                tracking.picture("augmented batch", draw_batch(mel_BCTF.cpu().numpy(), ids))

    def _put_weights(self, network: Network) -> None:
        if self.start is not None:
            self.start.put_into(network)
            if self.accelerator.is_main_process and self._relay is None:
                write_json(self.run.path / "init.json", self.start.report.as_dict())
        if self.pretrained is not None:
            self.pretrained.put_into(network)

    def ship(
        self,
        folder: Path,
        config: Config,
        network: Network,
        clips: Sequence[Clip],
        about: dict[str, Any],
        calibration: Calibration,
        chosen_by: Sequence[Clip] = (),
    ) -> None:
        """Writes the artefact of a network that was trained on `clips`, and chosen by those of `chosen_by`.

        `about`: what is particular to it; the rest is told here.
        """
        table, store = self.sounds.table, self.sounds.store
        shared = {
            "dataset": table.name,
            "subset": table.subset,
            "data_hash": store.hash,
            "licence": table.licence,
            "selection": self.config.protocol.selection,
            "init": self.results["init"],
            "clips": len(clips),
            "caveats": marks(self.results),
        }
        save_artefact(
            folder,
            config=config,
            network=network,
            labels=table.classes,
            multi_label=table.multi_label,
            about=shared | about,
            licences=self._licences(),
            heard=self._heard_before() | Provenance.of((*clips, *chosen_by), store),
            golden=choose_golden(
                store, clips, table.classes, clip_samples=self.sounds.window_samples, pad=self.sounds.config.pad
            ),
            calibration=calibration,
            training_range=training_range(config, self.sounds, clips),
        )

    def _keep(self, fold: int, outcome: FoldOutcome) -> None:
        """Writes predictions and model of a fold into its folder."""
        folder, split, table = self.run.fold(fold), self.splits[fold], self.sounds.table
        write_predictions(folder / "predictions.csv", split.test, split.fold, table.classes, outcome.test.sounds_NK)
        binary = Loss(self.config.loss, table.multi_label).binary
        self.ship(
            folder / "model",
            self.config,
            outcome.network,
            split.train,
            {
                "fold": split.fold,
                "folds": [split.fold],
                "epochs": outcome.row["chosen_epoch"],
                "metrics": {name: outcome.row[name] for name in metric_names(self.results)},
            },
            calibrate_fold(
                split,
                outcome.test,
                outcome.validation,
                table.classes,
                binary=binary,
                multi_label=table.multi_label,
            ),
            split.test if self.config.protocol.selection == "test" else split.validation,
        )

    def _licences(self) -> dict[str, str | None]:
        """Of all that the weights were made from, by part."""
        parts: dict[str, str | None] = {}
        if self.start is not None:
            parts[f"start, {self.start.name}"] = self.start.licence
        if self.pretrained is not None:
            parts[f"pretraining data, {self.pretrained.name}"] = self.pretrained.about.get("licence")
        return parts | {f"training data, {self.sounds.table.name}": self.sounds.table.licence}

    def _heard_before(self) -> Provenance:
        """The clips behind the weights that the folds started from."""
        before = self.start.heard if self.start else Provenance({})
        return before | self.pretrained.heard.under("pretrain") if self.pretrained else before

    def refresh(self) -> None:
        """Takes in what another process wrote since this one first looked; to be called with the lock held."""
        stored = self.run.read_results()
        if stored is not None:
            stored["leaking"] = stored["leaking"] or self.results["leaking"]
            self.results = stored

    def draw(self) -> None:
        """confusion.png and curves.png of the folds that are done."""
        results = self.results
        name = results["dataset"]["subset"] or results["dataset"]["name"]
        done = [row["fold"] for row in results["folds"]]
        words = f"{name}, {_folds_in_words(done)}"
        said = [name for name in ("optimistic", "leaking") if results[name]]
        marked = f" ({', '.join(said)})" if said else ""
        if results["confusion"]:
            title = f"{words}: accuracy {results['mean']['accuracy']:.3f}{marked}"
            with optional("confusion.png"):
                draw_confusion(self.run.path / "confusion.png", results["confusion"], results["classes"], title)
        with optional("curves.png"):
            histories = {fold: read_history(self.run.fold(fold)) for fold in done}
            draw_curves(self.run.path / "curves.png", histories, words + marked)

    def _split(self, table: Table, fold: int) -> Split:
        protocol = self.config.protocol
        assert protocol.selection != "auto", "the config is resolved"
        return make_split(table, fold, protocol.selection, protocol.allow_leakage)

    @property
    def silent(self) -> bool:
        return self.quiet or not self.accelerator.is_main_process


def _folds_in_words(folds: Sequence[int]) -> str:
    """`fold 3`, `folds 1 to 5`, `folds 1, 3, 4`."""
    if len(folds) == 1:
        return f"fold {folds[0]}"
    whole = len(folds) > 2 and list(folds) == list(range(folds[0], folds[-1] + 1))
    return f"folds {folds[0]} to {folds[-1]}" if whole else f"folds {', '.join(map(str, folds))}"
