"""What all stages of a run share in one process: data, devices, and initial weights."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from accelerate import Accelerator

from audiosurvey.config.root import Config
from audiosurvey.data.sounds import Sounds
from audiosurvey.data.splits.provenance import Provenance
from audiosurvey.data.table import Clip
from audiosurvey.model.network import Network
from audiosurvey.runs.listener import RunListener
from audiosurvey.runs.optional import optional
from audiosurvey.runs.results.results import RunResults
from audiosurvey.runs.results.run_folder import RunFolder
from audiosurvey.runs.results.tracking import Tracking
from audiosurvey.runs.stages.embeddings import Embeddings, embed_all
from audiosurvey.runs.stages.pretraining import PretrainingResult
from audiosurvey.runs.stages.probe import fit_probe
from audiosurvey.runs.stages.stage import Stage
from audiosurvey.runs.stages.starting import PretrainedWeights


@dataclass(frozen=True)
class RunContext:
    """A run in this process."""

    run: RunFolder
    config: Config
    """Resolved."""
    sounds: Sounds
    accelerator: Accelerator
    init: PretrainedWeights | None = None
    """The weights of `model.init`."""
    pretraining: PretrainingResult | None = None

    @property
    def is_main(self) -> bool:
        return self.accelerator.is_main_process

    def after(self, pretraining: PretrainingResult) -> "RunContext":
        """The same, starting from the weights of this pretraining."""
        return replace(self, pretraining=pretraining)

    def stage(self, config: Config, clips: tuple[Clip, ...], fold: int, others: Sequence[Clip] = ()) -> Stage:
        """The training on these clips, and on `others`, sounds of no class."""
        return Stage(
            config,
            self.sounds,
            clips,
            accelerator=self.accelerator,
            settings=config.train,
            name="train",
            fold=fold,
            others=others,
        )

    def put_weights(self, network: Network) -> None:
        """Loads the weights that every fold starts from."""
        if self.init is not None:
            self.init.weights.put_into(network)
        if self.pretraining is not None:
            self.pretraining.put_into(network)

    @property
    def init_name(self) -> str | None:
        """The weights that every fold starts from, by name."""
        names = [self.init.name] if self.init else []
        names += [self.pretraining.facts.dataset] if self.pretraining else []
        return ", then ".join(names) or None

    def with_weights(self, results: RunResults) -> RunResults:
        """The results with the weights that every fold starts from."""
        results = results.changed(init=self.init_name)
        return results.changed(pretraining=self.pretraining.facts) if self.pretraining else results

    @property
    def licences(self) -> dict[str, str | None]:
        """The licence of everything that the trained weights are made from."""
        parts: dict[str, str | None] = {}
        if self.init is not None:
            parts[f"start, {self.init.name}"] = self.init.licence
        if self.pretraining is not None:
            parts[f"pretraining data, {self.pretraining.facts.dataset}"] = self.pretraining.facts.licence
        return parts | {f"training data, {self.sounds.table.title}": self.sounds.table.licence}

    @property
    def trained_before(self) -> Provenance:
        """The clips that the weights were trained on before the folds."""
        before = self.init.trained_on.under("init") if self.init else Provenance({})
        return before | self.pretraining.heard.under("pretrain") if self.pretraining else before

    def start(self, stage: Stage, listener: RunListener) -> "ReadyNetwork":
        """A network with the weights it starts from, and with `train.head_first` a fitted classifier."""
        network = stage.build()
        self.put_weights(network)
        settings = stage.settings
        if not (settings.head_first or settings.head_only):
            return ReadyNetwork(network)
        embeddings = self._embed(stage, network, listener)
        if settings.head_only:
            return ReadyNetwork(network, embeddings)
        started = time.perf_counter()
        fit_probe(stage, stage.train_clips, network, embeddings)
        return ReadyNetwork(network, embeddings, time.perf_counter() - started)

    def write_embeddings(self, stage: Stage, listener: RunListener) -> None:
        """Writes the embeddings of all clips into the run folder, where every process finds them."""
        network = stage.build()
        self.put_weights(network)
        self._embed(stage, network, listener)

    def _embed(self, stage: Stage, network: Network, listener: RunListener) -> Embeddings:
        clips = len(self.sounds.table.clips) + len(self.sounds.others.clips if self.sounds.others else ())
        with listener.bar(f"embedding {clips} clips, in batches") as advance:
            return embed_all(stage, network, self.run.embeddings, advance)


@dataclass(frozen=True)
class ReadyNetwork:
    network: Network
    embeddings: Embeddings | None = None
    head_seconds: float = 0.0
    """Time of the fit of the classifier before the first step."""


def show_first_batch(stage: Stage, tracking: Tracking | None, listener: RunListener) -> None:
    """Sends a picture of the first augmented batch to the trackers."""
    if listener.draw_batch is None or tracking is None or not tracking.trackers:
        return
    with optional("picture of the first batch"):
        batch, mel_BCTF = stage.first_batch()
        tracking.picture("augmented batch", listener.draw_batch(mel_BCTF.cpu().numpy(), [c.id for c in batch.clips]))
