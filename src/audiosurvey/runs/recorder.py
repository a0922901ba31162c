"""Writes what was trained into the run folder: predictions, model folders, and the results of folds and run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from audiosurvey.artefact.calibration import Calibration
from audiosurvey.artefact.folder import save_artefact
from audiosurvey.artefact.golden import Golden, choose_golden, make_golden
from audiosurvey.atomic import write_text
from audiosurvey.config.root import Config
from audiosurvey.data.splits.provenance import Provenance
from audiosurvey.data.table import Clip
from audiosurvey.model.encoders.hub_encoder import layer_shares
from audiosurvey.model.network import Network
from audiosurvey.runs.evaluation.calibrating import calibrate_fold
from audiosurvey.runs.job import FoldResult
from audiosurvey.runs.measuring import training_range
from audiosurvey.runs.results.facts import FinalFacts
from audiosurvey.runs.results.fold_predictions import FILE, OTHER_FILE
from audiosurvey.runs.results.layer_scores import LAYERS, layer_scores, layers_csv
from audiosurvey.runs.results.predictions import write_predictions
from audiosurvey.runs.results.results import RunResults
from audiosurvey.runs.results.run_folder import RESULT
from audiosurvey.runs.results.stored import write_json
from audiosurvey.runs.stages.context import RunContext
from audiosurvey.runs.stages.final import FinalTraining
from audiosurvey.runs.validity import caveats, imbalance, marks
from audiosurvey.training.loss import Loss


class Recorder:
    """Records the folds of a run, each in its own folder, and the final model."""

    def __init__(self, context: RunContext, about: RunResults, *, golden_clips: bool = True) -> None:
        """`about`: results of the run without any fold; `golden_clips`: False stores made sounds in their place."""
        self.context, self.about, self.golden_clips = context, about, golden_clips

    def fold(self, result: FoldResult, *, model: bool = True) -> None:
        """Writes predictions, model and, last, the result of a fold: once that is there, the fold is done.

        `model`: whether to keep the model.
        """
        run, row, table = self.context.run, result.row, self.context.sounds.table
        path, scores_NK = run.fold(row.fold) / FILE, result.test.sounds_NK
        write_predictions(path, result.split.test, row.fold, table.classes, scores_NK, multi_label=table.multi_label)
        if result.other_test is not None:
            path, scores_NK = run.fold(row.fold) / OTHER_FILE, result.other_test.sounds_NK
            others, several = result.others.test, table.multi_label
            write_predictions(path, others, row.fold, table.classes, scores_NK, multi_label=several)
        if row.layers:
            write_text(run.fold(row.fold) / LAYERS, layers_csv(row.layers))
        if model:
            self._save_fold_model(result)
        write_json(run.fold_result(row.fold), self.about.with_folds([row], result.confusion_KK).as_json())

    def _save_fold_model(self, result: FoldResult) -> None:
        table, config = self.context.sounds.table, self.context.config
        row, split = result.row, result.split
        about = {
            "fold": row.fold,
            "folds": [row.fold],
            "epochs": row.chosen_epoch,
            "metrics": row.metrics(self.about.metric_names),
            **_class_facts(self.about.with_folds([row], result.confusion_KK)),
        }
        calibration = calibrate_fold(
            split,
            result.test,
            result.validation,
            table.classes,
            binary=Loss(config.loss, table.multi_label).binary,
            multi_label=table.multi_label,
            others=(result.other_validation, result.other_test),
        )
        if row.other is not None:
            about["other"] = row.other.as_json()
        if row.layers:
            about["layers"] = [one.as_json() for one in row.layers]
        chosen_by = split.test if config.protocol.selection == "test" else split.validation
        self._save(
            self.context.run.fold(row.fold) / "model",
            config,
            result.network,
            split.train,
            about,
            calibration,
            others=result.others.train,
            chosen_by=(*chosen_by, *result.others.validation),
        )

    def final(self, trained: FinalTraining, results: RunResults) -> None:
        """Writes the final model, which carries the scores of the folds in `results`."""
        run = self.context.run
        facts = FinalFacts(
            model=run.model.name,
            folds=results.done,
            clips=len(trained.clips),
            epochs=trained.epochs,
            epochs_from=trained.epochs_from,
            seconds=round(trained.seconds, 3),
        )
        about = {"fold": None, "metrics": results.mean, "std": results.std, "caveats": caveats(results)}
        about |= _class_facts(results)
        if results.other is not None:
            about["other"] = results.other.as_json()
        if (shares := layer_shares(trained.network)) is not None:
            about["layers"] = [one.as_json() for one in layer_scores(shares)]
        self._save(
            run.model,
            trained.config,
            trained.network,
            trained.clips,
            facts.as_json() | about,
            trained.calibration,
            others=trained.others,
        )
        write_json(run.final / RESULT, facts.as_json())

    def collect(self) -> RunResults:
        """Writes results.json from the results of all folds that have ended, whoever trained them."""
        run = self.context.run
        found = run.read_results(remake=False)
        assert found is not None, "a fold has ended"
        write_json(run.results_path, found.as_json())
        return found

    def _save(
        self,
        folder: Path,
        config: Config,
        network: Network,
        clips: Sequence[Clip],
        about: dict[str, Any],
        calibration: Calibration,
        *,
        others: Sequence[Clip] = (),
        chosen_by: Sequence[Clip] = (),
    ) -> None:
        """Writes the model folder of a network trained on `clips` and on `others`, sounds of no class.

        `chosen_by`: the clips that epoch or thresholds were chosen by.
        """
        context, sounds = self.context, self.context.sounds
        table, store = sounds.table, sounds.store
        shared = {
            "dataset": table.name,
            "subset": table.subset,
            **({"title": table.given_title} if table.given_title else {}),
            "data_hash": store.hash,
            "licence": table.licence,
            "selection": context.config.protocol.selection,
            "init": context.init_name,
            "clips": len(clips),
            "caveats": marks(self.about),
        }
        save_artefact(
            folder,
            config=config,
            network=network,
            labels=table.classes,
            multi_label=table.multi_label,
            about=shared | about,
            licences=context.licences,
            heard=context.trained_before | Provenance.of((*clips, *others, *chosen_by), store),
            golden=self._golden(config, clips),
            calibration=calibration,
            training_range=training_range(config, sounds, clips),
        )

    def _golden(self, config: Config, clips: Sequence[Clip]) -> Golden:
        sounds = self.context.sounds
        if not self.golden_clips:
            return make_golden(config.clip_samples, config.sample_rate)
        return choose_golden(
            sounds.store, clips, sounds.table.classes, clip_samples=sounds.window_samples, pad=sounds.config.pad
        )


def _class_facts(results: RunResults) -> dict[str, Any]:
    """What model.json and the card say of the single classes."""
    by_class = {name: one.as_json() for name, one in results.class_scores.items()}
    return {"imbalance": imbalance(results), "by_class": by_class}
