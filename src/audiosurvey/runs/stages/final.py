"""The final model: trained as the folds were, on the clips of all of them, for use rather than for a score.

No clip is left to measure it by: its score is the mean of the folds, and what it is calibrated on are the predictions
of the folds' models.
"""

import math
import shutil
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from audiosurvey.artefact.folder import load_artefact
from audiosurvey.config.root import Config
from audiosurvey.data.table import Clip, Table
from audiosurvey.errors import UserError
from audiosurvey.model.network import Network
from audiosurvey.report.summary import caveats
from audiosurvey.runs.cross_validation import CrossValidation
from audiosurvey.runs.evaluation.calibrating import Scored, calibrate_final
from audiosurvey.runs.evaluation.heldout import score_with
from audiosurvey.runs.evaluation.scores import truth
from audiosurvey.runs.results.predictions import read_predictions
from audiosurvey.runs.results.results import Results, read_json, write_json
from audiosurvey.runs.stages.probe import fit_probe
from audiosurvey.runs.stages.stage import Stage
from audiosurvey.training.loop import Evaluation, Listener
from audiosurvey.training.sound_scores import ScoredWindows

PLAN = "plan.json"
_FOLD = 0
"""In the names of random streams; folds count from 1."""


class FinalModel:
    """The model of a run in `RUN/model`, with its log and checkpoint in `RUN/final`."""

    def __init__(self, folds: CrossValidation) -> None:
        self.folds = folds
        # Of several processes only the main one recorded the folds that were just trained.
        folds.refresh()

    @property
    def results(self) -> Results:
        return self.folds.results

    @property
    def clips(self) -> tuple[Clip, ...]:
        """All that stand in a fold, or on a side of the table's own split."""
        return tuple(clip for clip in self.folds.sounds.table.clips if clip.fold is not None or clip.side is not None)

    @property
    def pending(self) -> bool:
        """Whether there is none, or only one from before some of the folds were done."""
        made = self.results.get("final")
        there = (self.folds.run.model / "model.json").exists()
        return made is None or not there or made["folds"] != self._done

    def train(self) -> None:
        """Trains it to its end, from its last finished epoch where it was interrupted, and writes the artefact."""
        epochs, why = final_epochs(self.folds.config, self.results["folds"])
        config = final_config(self.folds.config, epochs)
        folder, accelerator = self.folds.run.final, self.folds.accelerator
        if accelerator.is_main_process:
            self._begin(epochs)
        # Read before the training: a damaged file is not to be told at its end.
        scored = self._scored() if accelerator.is_main_process else {}
        accelerator.wait_for_everyone()
        with self.folds.listening(folder, "final model", epochs) as (listener, tracking):
            stage = Stage(
                config,
                self.folds.sounds,
                self.clips,
                accelerator=accelerator,
                settings=config.train,
                name="train",
                fold=_FOLD,
            )
            network = stage.build()
            self.folds.put_start(stage, network, None if config.train.head_only else tracking)
            fitted = self._probe if config.train.head_only else self._fit
            seconds = fitted(stage, network, listener)
            network.eval()
        accelerator.free_memory()
        if accelerator.is_main_process:
            made = {
                "model": self.folds.run.model.name,
                "folds": self._done,
                "clips": len(self.clips),
                "epochs": epochs,
                "epochs_from": why,
                "seconds": round(seconds, 3),
            }
            about = made | {
                "fold": None,
                "metrics": self.results["mean"],
                "std": self.results["std"],
                "caveats": caveats(self.results),
            }
            self.folds.ship(
                self.folds.run.model,
                config,
                network,
                self.clips,
                about,
                calibrate_final(
                    scored,
                    self.results["classes"],
                    binary=stage.loss.binary,
                    multi_label=self.folds.sounds.table.multi_label,
                ),
            )
            self.results["final"] = made
            write_json(self.folds.run.results_path, self.results)
        accelerator.wait_for_everyone()

    def _fit(self, stage: Stage, network: Network, listener: Listener) -> float:
        """Trains the network; how many seconds that took, those before an interruption included."""
        trainer = stage.trainer(network, _no_evaluation, self.folds.run.final, listener)
        network.load_state_dict(trainer.run(resume=True).state_dict())
        return sum(record["seconds"] for record in trainer.history)

    def _probe(self, stage: Stage, network: Network, listener: Listener) -> float:
        """Fits the classifier alone, to the embeddings that the folds were fitted to."""
        embeddings = self.folds.embed(stage, network)
        started = time.perf_counter()
        head, _ = fit_probe(stage.config, self.folds.sounds, self.clips, network, embeddings)
        seconds = time.perf_counter() - started
        record = {"epoch": 1, "step": head.iterations, "lr": None, "train_loss": head.loss, "penalty": head.penalty}
        listener.on_epoch(record | {"seconds": round(seconds, 3)})
        return seconds

    @property
    def _done(self) -> list[int]:
        return [row["fold"] for row in self.results["folds"]]

    def _begin(self, epochs: int) -> None:
        """Lays down how long it is trained; a checkpoint of another length is of no use, and goes."""
        folder = self.folds.run.final
        plan: dict[str, Any] = {"epochs": epochs}
        again = f"remove the folder {folder.as_posix()}, and --final trains the model from its beginning"
        if (folder / PLAN).exists() and read_json(folder / PLAN, again) != plan:
            shutil.rmtree(folder)
        write_json(folder / PLAN, plan)

    def _scored(self) -> dict[int, Scored]:
        """What the models of the folds said of their own test folds.

        Where each clip is one window, that stands in predictions.csv; elsewhere the clips are scored again, since
        the scores of their windows stand nowhere.
        """
        table, run = self.folds.sounds.table, self.folds.run
        return {fold: self._of_fold(*_predicted(table, run.fold(fold), run.scored_anew), fold) for fold in self._done}

    def _of_fold(self, clips: list[Clip], scores_NK: np.ndarray, fold: int) -> Scored:
        sounds = self.folds.sounds
        truth_NK = truth(clips, len(sounds.table.classes))
        if all(sounds.store.length(clip.id) <= sounds.window_samples for clip in clips):
            return ScoredWindows.single(scores_NK), truth_NK
        model = load_artefact(self.folds.run.fold(fold) / "model")
        return score_with(model, sounds, clips, str(self.folds.accelerator.device)), truth_NK


def final_epochs(config: Config, rows: list[dict[str, Any]]) -> tuple[int, str]:
    """How many epochs, and why: as many as each fold had, or the median of those that the folds chose."""
    if config.train.head_only:
        return 1, "the classifier alone is fitted, at one go"
    if config.protocol.selection == "last":
        assert config.train.epochs, "without a patience the number of epochs is fixed"
        return config.train.epochs, "as the config says"
    chosen = [row["chosen_epoch"] for row in rows]
    listed = ", ".join(map(str, chosen))
    return math.floor(statistics.median(chosen) + 0.5), f"the median of the epochs that the folds chose ({listed})"


def final_config(config: Config, epochs: int) -> Config:
    """The config that trains the final model: a fixed number of epochs, the last weights."""
    if config.train.head_only:
        return config
    config = config.for_stage(config.train)  # while it says how the folds were trained
    train = config.train.model_copy(update={"epochs": epochs, "patience": None})
    protocol = config.protocol.model_copy(update={"selection": "last"})
    return config.model_copy(update={"train": train, "protocol": protocol})


def _no_evaluation(network: Callable[[], nn.Module], epoch: int, last: bool) -> Evaluation:
    """No clips are held out."""
    return Evaluation({})


def _predicted(table: Table, folder: Path, mend: str) -> tuple[list[Clip], np.ndarray]:
    """The tested clips of a fold and their scores (N, K), from its predictions.csv."""
    path = folder / "predictions.csv"
    by_id = {clip.id: clip for clip in table.clips}
    try:
        ids, _, scores_NK = read_predictions(path)
        clips = [by_id[clip] for clip in ids]
    except (OSError, ValueError, KeyError):
        raise UserError(f"{path}: missing or damaged; {mend}") from None
    if scores_NK.shape != (len(clips), len(table.classes)) or not np.isfinite(scores_NK).all():
        raise UserError(f"{path}: damaged, not a score for each class in each row; {mend}")
    return clips, scores_NK
