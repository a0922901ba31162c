"""Loads pretrained weights of known families into a network with a new classifier, and accounts for every tensor."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from audiosurvey.data.readahead import ProgressCallback
from audiosurvey.errors import Fault, UserError, some_of
from audiosurvey.features.agreement import FrontEnd, disagreements
from audiosurvey.features.mel import MelConfig
from audiosurvey.model.blocks.transformer import resize_positions
from audiosurvey.model.encoders.hub_folder import CONFIG, is_encoder_folder, read_json
from audiosurvey.model.encoders.model_file import is_model_file
from audiosurvey.model.families.ced import resize_patch_positions
from audiosurvey.model.network import Network
from audiosurvey.model.weights.ced import CED
from audiosurvey.model.weights.efficientat import EFFICIENTAT
from audiosurvey.model.weights.encoder_file import ENCODER_FILE, read_model_file
from audiosurvey.model.weights.family import Family, Placed
from audiosurvey.model.weights.hub_checkpoint import family_of, read_encoder
from audiosurvey.model.weights.panns_checkpoint import PANNS
from audiosurvey.model.weights.released import locate, released
from audiosurvey.model.weights.weightfile import Tensors, read_weights, sha256, weights_file

_CLASSIFIER = "classifier."
_COUNTER = ".num_batches_tracked"
_MANY_BATCHES = 1_000_000

OURS = Family(
    name="audiosurvey",
    recognises=lambda tensors: "classifier.weight" in tensors and any(name.startswith("blocks.") for name in tensors),
    place=lambda tensors, network: Placed(dict(tensors), {name: name for name in tensors}),
    front_end=lambda tensors: None,
)
FAMILIES = (OURS, EFFICIENTAT, PANNS, CED)


@dataclass(frozen=True)
class Report:
    """What became of every tensor; plain data."""

    name: str
    """As `model.init` has it."""
    family: str
    sha256: str
    matched: list[str]
    """Taken under the name they had."""
    renamed: dict[str, str]
    """Taken: the checkpoint's name, ours."""
    dropped: dict[str, str]
    """Not taken: the checkpoint's name, why."""
    fresh: list[str]
    """Of our network, not in the checkpoint."""
    resized: dict[str, str] = field(default_factory=dict)
    """Taken, and brought to the length of our clips: our name, how."""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def lines(self) -> list[str]:
        """For a reader: what was taken, dropped and left fresh."""
        taken = len(self.matched) + len(self.renamed)
        of = taken + len(self.dropped)
        # A file of another runtime has one tensor, its content.
        is_file = self.family == ENCODER_FILE.name
        found = f"{taken} of {of} tensors taken, {len(self.renamed)} of them renamed"
        lines = [f"init: {self.name} ({self.family}): {'taken as it is' if is_file else found}"]
        reasons = sorted(set(self.dropped.values()))
        for reason in reasons:
            names = [name for name, why in self.dropped.items() if why == reason]
            lines.append(f"init: dropped, {reason}: {_some(names)}")
        lines += [f"init: {name}: {how}" for name, how in self.resized.items()]
        return [*lines, f"init: left fresh: {_some(self.fresh)}"] if self.fresh else lines


@dataclass(frozen=True)
class Weights:
    """Weights as they were read, not yet in a network."""

    name: str
    path: Path
    tensors: Tensors
    family: Family
    front_end: FrontEnd | None
    """What they were trained with; None where that is not known."""

    def faults(self, sample_rate: int, mel: MelConfig | None) -> list[Fault]:
        """The settings of a front end in which it is not the one that these weights were trained with."""
        ours = FrontEnd(sample_rate, mel)
        return [] if self.front_end is None else disagreements(ours, self.front_end, self.name)

    def put_into(self, network: Network, *, keep_classifier: bool = False) -> Report:
        """Loads everything but the classifier, which stays fresh, unless `keep_classifier`.

        Raises UserError where a tensor has another shape or no place, or a place no tensor: then nothing is changed.
        """
        own = network.state_dict()
        try:
            placed, resized = self._fitted(network, own, keep_classifier)
        except UserError:
            if network.members > 1 and not keep_classifier:
                raise UserError(f"model.init: {no_ensemble(self.name, network.members)}") from None
            raise
        fresh = [name for name in own if name not in placed.tensors]
        if not next(iter(own.values())).is_meta:
            network.load_state_dict(own | placed.tensors | _counters(own, placed.tensors))
        return Report(
            name=self.name,
            family=self.family.name,
            sha256=sha256(self.path),
            matched=[ours for ours, theirs in placed.source.items() if theirs == ours],
            renamed={theirs: ours for ours, theirs in placed.source.items() if theirs != ours},
            dropped=placed.dropped,
            fresh=fresh,
            resized=resized,
        )

    def _fitted(
        self, network: Network, own: Mapping[str, torch.Tensor], keep_classifier: bool
    ) -> tuple[Placed, dict[str, str]]:
        """The tensors that go into `network`, and how positions were brought to its length."""
        placed = self._placed(network)
        if not keep_classifier:
            for name in [name for name in placed.tensors if name.startswith(_CLASSIFIER)]:
                rows = len(placed.tensors.pop(name))
                placed.dropped[placed.source.pop(name)] = f"a classifier for {rows} classes"
        resized = resize_positions(placed.tensors, network) | resize_patch_positions(placed.tensors, network)
        self._refuse_misfits(placed, {name: tuple(value.shape) for name, value in own.items()}, keep_classifier)
        return placed, resized

    def _placed(self, network: Network) -> Placed:
        try:
            return self.family.place(self.tensors, network)
        except UserError as error:
            raise UserError(f"{error}{self._hint()}") from None
        except (KeyError, ValueError, IndexError):
            raise UserError(
                f"model.init: {self.name}: its tensors are not named as those of {self.family.name}"
            ) from None

    def _refuse_misfits(self, placed: Placed, own: dict[str, tuple[int, ...]], classifier: bool) -> None:
        for name, tensor in placed.tensors.items():
            theirs = f"model.init: {self.name}: {placed.source[name]} ({_size(tensor.shape)})"
            if name not in own:
                raise UserError(f"{theirs} has no place in the network{self._hint()}")
            if own[name] != tuple(tensor.shape):
                raise UserError(f"{theirs} does not fit {name} ({_size(own[name])}){self._hint()}")
        lacking = [
            name
            for name in own
            if name not in placed.tensors
            and name not in placed.begun
            and not name.endswith(_COUNTER)
            and (classifier or not name.startswith(_CLASSIFIER))
        ]
        if lacking:
            raise UserError(f"model.init: {self.name}: no weights for {_some(lacking)} of the network{self._hint()}")

    def _hint(self) -> str:
        if not self.family.hints:
            return ""
        preset = self.family.preset(self.tensors)
        return f"; they are the weights of preset {preset}" if preset else "; they are from another network"


def open_weights(init: str, progress: ProgressCallback | None = None) -> Weights:
    """The weights that `model.init` names, downloaded where needed.

    Raises UserError in one line: not there, no internet, damaged, of an unknown family.
    """
    return read_pretrained(init, locate(init, progress))


def no_ensemble(init: str, members: int) -> str:
    """The message for weights that are not those of an ensemble with this number of members."""
    return (
        f"{init}: is not an ensemble of {members} networks, as model.members: {members} asks for; leave model.init or "
        "model.members out"
    )


def read_pretrained(init: str, path: Path) -> Weights:
    """The weights in a file, or in the folder of a model, whose front end is left to the caller."""
    if is_encoder_folder(path):
        tensors, file = read_encoder(path)
        return Weights(init, file, tensors, family_of(read_json(path / CONFIG)), None)
    if is_model_file(path) and not path.is_dir():
        return Weights(init, path, read_model_file(init, path), ENCODER_FILE, None)
    file = weights_file(path)
    tensors = read_weights(file)
    family = next((family for family in FAMILIES if family.recognises(tensors)), None)
    if family is None:
        known = ", ".join(family.name for family in FAMILIES)
        raise UserError(f"model.init: {init}: not weights of a known family ({known}); it contains {_some(tensors)}")
    known = released(init) if family is not OURS else None
    return Weights(init, file, tensors, family, known.front_end if known else family.front_end(tensors))


def _counters(own: Tensors, given: Tensors) -> Tensors:
    """Batch counters for norms whose file has statistics but no counter (older torch). They are large, so that training
    updates the statistics instead of replacing them."""
    said = own | given
    counters = {name: value for name, value in said.items() if name.endswith(_COUNTER) and not value.any()}
    return {name: torch.full_like(value, _MANY_BATCHES) for name, value in counters.items() if _counted(name, said)}


def _counted(counter: str, tensors: Tensors) -> bool:
    """Whether the statistics beside this counter differ from those of a new norm."""
    norm = counter.removesuffix(_COUNTER)
    mean_C, variance_C = tensors[f"{norm}.running_mean"], tensors[f"{norm}.running_var"]
    return bool((mean_C != 0).any() or (variance_C != 1).any())


def _some(names: Iterable[str]) -> str:
    return some_of(list(names), 4)


def _size(shape: torch.Size | tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "one number"
