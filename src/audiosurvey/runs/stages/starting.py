"""What a run starts from: the weights of `model.init`, looked over before anything is prepared or trained."""

from collections.abc import Iterable
from dataclasses import dataclass

from audiosurvey.config.checks.meta_network import meta_network
from audiosurvey.config.root import Config
from audiosurvey.data.readahead import ProgressCallback
from audiosurvey.data.sounds import Sounds
from audiosurvey.data.splits.folds import Split
from audiosurvey.data.splits.provenance import Provenance
from audiosurvey.errors import UserError
from audiosurvey.model.cost import trainable
from audiosurvey.model.freeze import frozen_blocks
from audiosurvey.model.network import Network
from audiosurvey.model.weights.pretrained import Report, Weights, open_weights
from audiosurvey.model.weights.released import RELEASED, name_of
from audiosurvey.model.weights.weightfile import artefact_licence


@dataclass(frozen=True)
class Start:
    """Weights that fit the network of a run, and what becomes of each of their tensors."""

    weights: Weights
    report: Report
    lines: list[str]
    """For a reader: what was taken, dropped and left fresh, and what is frozen."""

    @property
    def name(self) -> str:
        """As results tell it: under which name the weights are published, else where they came from."""
        return name_of(self.report.sha256) or self.weights.name

    @property
    def licence(self) -> str | None:
        """Of the weights; None where it is not known."""
        known = RELEASED.get(self.name)
        return known.licence if known else artefact_licence(self.weights.path)

    @property
    def heard(self) -> Provenance:
        """The clips behind the weights, for the artefact that comes of them."""
        return self.weights.heard.under("init")

    def put_into(self, network: Network) -> None:
        self.weights.put_into(network)

    def seen(self, splits: Iterable[Split], sounds: Sounds) -> list[str]:
        """Held-out clips, of any of the folds, whose recordings the weights were trained on already."""
        held_out = {clip.id for split in splits for clip in split.validation + split.test}
        return sorted(held_out & self.weights.heard.known(sounds.table.clips, sounds.store))

    def refuse_seen(self, splits: Iterable[Split], sounds: Sounds, *, allow_leakage: bool) -> bool:
        """Whether held-out clips are known to the weights; raises UserError unless that is allowed."""
        seen = self.seen(splits, sounds)
        if seen and not allow_leakage:
            raise UserError(
                f"model.init: {self.name}: was trained on the recordings of {len(seen)} clips that are to be tested "
                f"on, such as {seen[0]}; take other weights, train only the folds that these left out (--folds), or "
                "set protocol.allow_leakage: true"
            )
        return bool(seen)


def open_start(config: Config, progress: ProgressCallback | None = None) -> Start | None:
    """The weights that the config names, fetched where needed; None where it names none.

    Raises UserError where they are not to be had, were trained with another front end, or do not fit.
    """
    init = config.model.init
    if init is None:
        return None
    weights = open_weights(init, progress)
    if faults := weights.faults(config.sample_rate, config.heard_mel):
        raise UserError(*(f"{fault.dotted}: {fault.message}" for fault in faults))
    network = meta_network(config)
    report = weights.put_into(network)
    return Start(weights, report, report.lines() + frozen_line(config, network))


def frozen_line(config: Config, network: Network) -> list[str]:
    """`frozen: ...`, where something is; `network` is one of the config, whose blocks this freezes."""
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
