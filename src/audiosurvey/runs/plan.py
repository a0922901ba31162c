"""From a config and the options of `train` to a run that may begin: its data, folds, weights and jobs."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from accelerate.utils import broadcast_object_list

from audiosurvey.allocator import keep_freed_memory
from audiosurvey.config.continuing import continued
from audiosurvey.config.loader import LoadedConfig
from audiosurvey.config.root import Config
from audiosurvey.data.splits.folds import Split
from audiosurvey.errors import ArgumentError
from audiosurvey.runs.evaluation.heldout import prepare
from audiosurvey.runs.executors.inline import run_inline
from audiosurvey.runs.executors.side_by_side import Round, plan_rounds, refuse_jobs, run_side_by_side
from audiosurvey.runs.experiment import Experiment, open_experiment
from audiosurvey.runs.job import FoldJob
from audiosurvey.runs.listener import OpenBar, RunListener, no_bar
from audiosurvey.runs.more import adopt, check_parent, ended_folds, parent_facts
from audiosurvey.runs.quick import epochs_of, shortened
from audiosurvey.runs.recorder import Recorder
from audiosurvey.runs.results.environment import environment
from audiosurvey.runs.results.facts import ParentFacts
from audiosurvey.runs.results.results import RunResults
from audiosurvey.runs.results.run_folder import RunFolder
from audiosurvey.runs.results.stored import write_json
from audiosurvey.runs.resuming import note_changes
from audiosurvey.runs.stages.context import RunContext
from audiosurvey.runs.stages.final import final_pending, train_final
from audiosurvey.runs.stages.out_of_fold import choose_fold_thresholds
from audiosurvey.runs.stages.pretraining import pretrain
from audiosurvey.runs.stages.starting import fetch_pretrained
from audiosurvey.training.accelerator import make_accelerator, number_format
from audiosurvey.training.devices import check_device, pick_device
from audiosurvey.training.precision import Precision


@dataclass(frozen=True)
class TrainOptions:
    """The options of `train` besides the config."""

    run_dir: Path | None = None
    folds: Sequence[int] | None = None
    resume: bool = False
    device: str = "auto"
    final: bool = False
    """After the folds, train one model on all of them."""
    jobs: int = 1
    """Folds trained side by side."""
    threads: int | None = None
    """Processor threads, shared by folds side by side; None: torch's default."""
    detection: bool = True
    """With `final`: choose detection settings on soundscapes that are made of the clips."""
    parent: Path | None = None
    """A finished run to go on with; the config is that of `load_more`."""
    quick: bool = False
    """A tenth of the epochs on one fold; the results are marked."""
    golden_clips: bool = True
    """Whether models contain windows of training clips, to verify them with; else made sounds."""


@dataclass(frozen=True)
class TrainResult:
    """A run and its results."""

    folder: Path
    results: RunResults


@dataclass(frozen=True)
class RunPlan:
    """A run that may begin."""

    options: TrainOptions
    resolved_yaml: str
    context: RunContext
    experiment: Experiment
    quick: int | None = None
    """Of a quick look: the epochs of a whole run."""

    @property
    def about(self) -> RunResults:
        """Its results without any fold."""
        about = self.context.with_weights(self.experiment.about)
        about = about if self.quick is None else about.changed(quick=self.quick)
        return about.changed(parent=self.parent) if self.parent else about

    @property
    def parent(self) -> ParentFacts | None:
        """The run that this one continues."""
        if self.options.parent is not None:
            return parent_facts(self.options.parent)
        return self.folder.read_parent()

    @property
    def splits(self) -> dict[int, Split]:
        """Those of the folds that were asked for."""
        return self.experiment.splits

    @property
    def folder(self) -> RunFolder:
        return self.context.run

    @property
    def config(self) -> Config:
        return self.context.config

    def results(self) -> RunResults:
        """Results of the folds that have ended, whoever trained them."""
        return self.folder.read_results(remake=self.context.is_main) or self.about

    @property
    def pending(self) -> list[int]:
        """Folds that were asked for and have not ended."""
        done = self.results().done
        return [fold for fold in self.splits if fold not in done]

    @property
    def rounds(self) -> list[Round]:
        return plan_rounds(list(self.splits), self.pending, self.options.jobs)

    def begin(self) -> list[str]:
        """Checks the folder again, now that its lock is held, and writes what a run begins with.

        Returns notes on an environment that has changed since.
        """
        if not self.context.is_main:
            return []
        self.folder.refuse(self.config, resume=self.options.resume)
        accelerator, jobs = self.context.accelerator, self.options.jobs
        data = self.context.sounds.store.hash, self.experiment.background_hash
        if parent := self.parent:
            write_json(self.folder.parent_path, parent.as_json())
        self.folder.start(self.resolved_yaml, environment(accelerator, jobs), *data)
        if parent:
            adopt(self.folder, parent, self.pending, final=self.options.final)
        if not self.pending and not self.final_pending:
            return []
        if self.context.init is not None:
            write_json(self.folder.path / "init.json", self.context.init.report.as_dict())
        return note_changes(self.folder, environment(accelerator, jobs), list(self.splits), self.pending)

    @property
    def final_pending(self) -> bool:
        """Whether a final model was asked for and is to be trained."""
        return self.options.final and final_pending(self.folder, self.results())

    def pretrained(self, listener: RunListener) -> "RunPlan":
        """The same after the pretraining, if there is one."""
        if self.experiment.pretrain_on is None:
            return self
        finished = pretrain(
            self.config,
            self.experiment.pretrain_on,
            self.context.sounds,
            self.folder,
            accelerator=self.context.accelerator,
            init=self.context.init,
            listener=listener,
        )
        return replace(self, context=self.context.after(finished))

    def jobs(self) -> list[list[FoldJob]]:
        """The jobs of the pending folds, round by round."""
        accelerator, init = self.context.accelerator, self.context.init
        first = None if self.results().folds else self.pending[0]
        return [
            [
                FoldJob(
                    self.folder,
                    fold,
                    self.config,
                    self.about,
                    device=self.options.device,
                    precision=number_format(accelerator),
                    threads=members.threads,
                    side_by_side=members.planned if self.options.jobs > 1 else None,
                    alone=self.options.jobs == 1,
                    init_hash=init.report.sha256 if init else None,
                    counts_embeddings=fold == first,
                    golden_clips=self.options.golden_clips,
                )
                for fold in members.folds
            ]
            for members in self.rounds
        ]

    @property
    def _recorder(self) -> Recorder:
        return Recorder(self.context, self.about, golden_clips=self.options.golden_clips)

    def run_folds(self, listener: RunListener) -> None:
        """Trains the pending folds."""
        if not self.pending:
            return
        jobs, recorder = self.jobs(), self._recorder
        if self.options.jobs == 1:
            run_inline([job for members in jobs for job in members], recorder, listener)
            return
        if self.config.train.head_first:
            fold = jobs[0][0].fold
            self.context.write_embeddings(self.context.stage(self.config, self.splits[fold].train, fold), listener)
        run_side_by_side(jobs, recorder, listener)

    def choose_thresholds(self) -> None:
        """Chooses the thresholds of the models of all folds that have ended, on each other's test clips."""
        if self.context.is_main:
            choose_fold_thresholds(self.context, self.results().done)
        self.context.accelerator.wait_for_everyone()

    def run_final(self, listener: RunListener) -> None:
        """Trains the final model."""
        results = self.results()
        trained = train_final(self.context, results, listener)
        if self.context.is_main:
            recorder = self._recorder
            recorder.final(trained, results)
            recorder.collect()
        self.context.accelerator.wait_for_everyone()


def plan_run(loaded: LoadedConfig, options: TrainOptions, bar: OpenBar) -> RunPlan:
    """Checks everything that can be checked before training, prepares the data, and writes nothing into the run folder.

    Raises UserError for a fold that is not there, a leak, and whatever else would fail later.
    """
    loaded.refuse_obstacles()
    quick = epochs_of(loaded.config) if options.quick else None
    if options.quick:
        refuse_with_quick(options)
        loaded = shortened(loaded)
    accelerator = make_accelerator(
        options.device, _precision(loaded.config, options), thaws=bool(loaded.config.model.thaw)
    )
    loaded.refuse_device(accelerator.device.type)
    if accelerator.device.type == "cpu":
        keep_freed_memory()
    refuse_jobs(options.jobs, loaded.config, accelerator)
    run = RunFolder(_agreed(options.run_dir or _default_run_dir(loaded.name + ("-quick" if options.quick else ""))))
    if options.resume:
        loaded = continued(loaded, run.config_path)
    config = loaded.config
    if not accelerator.is_main_process:
        bar = no_bar
    else:
        run.refuse(config, resume=options.resume)
    init = fetch_pretrained(config, bar)
    sounds = prepare(config.dataset, config.sample_rate, bar)
    pretrain_on = None
    if config.pretrain_dataset is not None:
        pretrain_on = prepare(config.pretrain_dataset, config.sample_rate, bar)
    folds = options.folds
    if folds is None and options.parent is not None:
        folds = ended_folds(options.parent)
    if folds is None and options.quick:
        folds = sounds.table.folds[:1]
    experiment = open_experiment(config, sounds, init=init, pretrain_on=pretrain_on, folds=folds)
    if options.parent is not None:
        hashes = experiment.sounds.store.hash, experiment.background_hash
        check_parent(options.parent, experiment.splits, hashes, final=options.final)
    context = RunContext(run, config, experiment.sounds, accelerator, init)
    return RunPlan(options, loaded.resolved_yaml(), context, experiment, quick)


def refuse_with_quick(options: TrainOptions) -> None:
    """Raises ArgumentError for options that make no sense with a quick look."""
    others = {"resume": options.resume, "final": options.final, "more": options.parent is not None}
    if given := next((name for name, is_given in others.items() if is_given), None):
        raise ArgumentError(
            f"{{quick}}: trains one fold for a tenth of the epochs, and nothing else; leave {{{given}}} out",
            quick=True,
            **{given: ...},
        )
    if options.folds is not None and len(set(options.folds)) > 1:
        raise ArgumentError("{quick}: trains one fold; give one number in {folds}", quick=True, folds=...)


def _default_run_dir(name: str) -> Path:
    return Path("runs") / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"


def _precision(config: Config, options: TrainOptions) -> Precision:
    """A resumed run keeps the number format that `auto` chose when it began."""
    if config.precision != "auto" or not options.resume or options.run_dir is None:
        return config.precision
    check_device(options.device)
    return RunFolder(options.run_dir).precision_on(pick_device(options.device)) or "auto"


def _agreed(path: Path) -> Path:
    """The main process's path, in all of them: it may have a time in it."""
    return Path(broadcast_object_list([path])[0])
