"""The weights a run starts from: those of `model.init`, checked before anything is prepared or trained."""

from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass

from audiosurvey.artefact.weights_source import check_unchanged, licence_of, provenance_of
from audiosurvey.config.checks.meta_network import meta_network
from audiosurvey.config.init_weights import open_init
from audiosurvey.config.root import Config
from audiosurvey.data.readahead import ProgressCallback
from audiosurvey.data.sounds import Sounds
from audiosurvey.data.splits.folds import Split
from audiosurvey.data.splits.provenance import Provenance
from audiosurvey.errors import ArgumentError, UserError
from audiosurvey.model.cost import trainable
from audiosurvey.model.freeze import frozen_blocks
from audiosurvey.model.network import Network
from audiosurvey.model.weights.pretrained import OURS, Report, Weights
from audiosurvey.model.weights.released import RELEASED, name_of, on_disk
from audiosurvey.runs.listener import OpenBar


@dataclass(frozen=True)
class PretrainedWeights:
    """The weights of `model.init`, which fit the network of the run."""

    weights: Weights
    report: Report
    """What became of each tensor."""
    lines: list[str]
    """For a reader: what was taken, dropped and initialised anew, and what is frozen."""
    trained_on: Provenance
    """The clips that the weights were trained on, as far as is known."""

    @property
    def name(self) -> str:
        """The name under which the weights are published, else what `model.init` says."""
        return name_of(self.report.sha256) or self.weights.name

    @property
    def licence(self) -> str | None:
        known = RELEASED.get(self.name)
        return known.licence if known else licence_of(self.weights.path)

    def refuse_seen(self, splits: Iterable[Split], sounds: Sounds, *, allow_leakage: bool) -> bool:
        """Whether the weights were trained on held-out clips; raises UserError unless that is allowed."""
        held_out = {clip.id for split in splits for clip in split.validation + split.test}
        seen = sorted(held_out & self.trained_on.known(sounds.table.clips, sounds.store))
        if seen and not allow_leakage:
            raise ArgumentError(
                f"model.init: {self.name}: was trained on the recordings of {len(seen)} clips that are to be tested "
                f"on, such as {seen[0]}; take other weights, train only the folds that these left out ({{folds}}), or "
                "set protocol.allow_leakage: true",
                folds=...,
            )
        return bool(seen)


def open_pretrained(config: Config, progress: ProgressCallback | None = None) -> PretrainedWeights | None:
    """The weights that the config names, downloaded where needed; None where it names none.

    Raises UserError if they cannot be had, were trained with another front end, or do not fit.
    """
    init = config.model.init
    if init is None:
        return None
    weights = open_init(init, progress)
    if weights.family is OURS:
        check_unchanged(weights.path)
    if faults := weights.faults(config.sample_rate, config.heard_mel):
        raise UserError(*(f"{fault.dotted}: {fault.message}" for fault in faults))
    network = meta_network(config)
    report = weights.put_into(network)
    trained_on = provenance_of(weights.path) if weights.family is OURS else Provenance({})
    return PretrainedWeights(weights, report, report.lines() + _frozen_lines(config, network), trained_on)


def fetch_pretrained(config: Config, bar: OpenBar) -> PretrainedWeights | None:
    """As `open_pretrained`, with a progress bar where weights are downloaded."""
    init = config.model.init
    downloads = init is not None and on_disk(init) is None
    with bar(f"fetching {init}") if downloads else nullcontext() as advance:
        return open_pretrained(config, advance)


def _frozen_lines(config: Config, network: Network) -> list[str]:
    """`frozen: ...`, if anything is. Freezes the blocks of `network`."""
    frozen = frozen_blocks(config.model.freeze, len(network.blocks))
    if not frozen:
        return []
    body = trainable(network) - trainable(network.classifier)
    network.freeze(frozen)
    left = trainable(network) - trainable(network.classifier)
    trained = f"{left:,} of {body:,} parameters before the classifier are trained"
    lines = [f"frozen: {len(frozen)} of {len(network.blocks)} blocks; {trained}"]
    for step in config.model.thaw:
        stay = len(frozen_blocks(step.freeze, len(network.blocks)))
        lines.append(f"frozen from epoch {step.epoch} on: {stay} of {len(network.blocks)} blocks")
    return lines
