"""The network: input standardisation, the blocks in a row, and the linear layer to the classes."""

from collections.abc import Iterable, Iterator

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from audiosurvey.features.front_end import Input, NetworkInput
from audiosurvey.model.blocks.inputs import Entry, Join, by_input
from audiosurvey.model.blocks.normalise import Standardize, make_standardize
from audiosurvey.model.checkpointing import checkpointed, pieces, segments
from audiosurvey.model.faults import Step, shapes_by_input, thread_shapes
from audiosurvey.model.grammar import ModelConfig
from audiosurvey.model.initial import Initial, initialise, make_classifier
from audiosurvey.model.shapes import InputShape
from audiosurvey.model.views import mean_view, turned


class Network(nn.Module):
    """What it hears to logits (B, K), float32 under any autocast: mel spectrograms (B, C, T, F), waves (B, 1, S), or a
    pair of waves and their spectrograms."""

    def __init__(
        self,
        standardize: nn.Module,
        blocks: list[nn.Module],
        classifier: nn.Linear,
        hears: tuple[Input, ...] = ("mel",),
    ) -> None:
        super().__init__()
        self.hears = hears
        """Which inputs `forward` is given, in this order."""
        self.standardize = standardize
        self.blocks = nn.ModuleList(blocks)
        self.classifier = classifier
        self.use_checkpoint = False
        """Recompute the blocks in the backward pass instead of keeping their inner values; less memory, more
        time."""
        self.steps: tuple[Step, ...] = ()
        """The config's blocks with the shapes they were built for, one for each of `blocks`."""
        self.initial: Initial = "he"
        """How a fresh classifier is drawn, as the rest was."""
        self.frozen: tuple[int, ...] = ()
        """The blocks that keep their weights and statistics in training."""
        self.keeps_statistics = False
        """Whether batch norms go by their running statistics in training too, and leave them as they are."""
        self.members = 1
        """How many networks these are in one (`model.members`): each has an equal share of the features, in order."""
        self.views = 1
        """In evaluation features are the mean over so many views of a clip, turned in time (`model.views`)."""

    def forward(self, heard: NetworkInput) -> torch.Tensor:
        return self.classifier(self.embed(heard)).float()

    def member_logits(self, heard: NetworkInput) -> torch.Tensor:
        """The logits of each member (B, M, K), of which `forward` gives the mean; what training compares with the
        targets."""
        if self.members == 1:
            return self(heard).unsqueeze(1)
        features_BMN = self.embed(heard).unflatten(1, (self.members, -1))
        weight_KMN = self.classifier.weight.unflatten(1, (self.members, -1))
        logits_BMK = torch.einsum("bmn,kmn->bmk", features_BMN * self.members, weight_KMN)
        return (logits_BMK + self.classifier.bias).float()

    def embed(self, heard: NetworkInput) -> torch.Tensor:
        """The features (B, N) that the classifier reads; those of members one after the other, divided by their number,
        so that its logits are the mean of theirs."""
        features_BN = self._seen(heard)
        return features_BN if self.members == 1 else features_BN / self.members

    def _seen(self, heard: NetworkInput) -> torch.Tensor:
        if self.training or self.views == 1:
            return self._embed(heard)
        return mean_view(self._embed(turned(heard, self.views)), self.views)

    def _embed(self, heard: NetworkInput) -> torch.Tensor:
        inputs = by_input(self.hears, heard)
        if "mel" in inputs:
            inputs["mel"] = self.standardize(inputs["mel"])
        recomputes = self.use_checkpoint and self.training and torch.is_grad_enabled()
        # A branch for each `input`, the last of them the one that blocks work on.
        branches = [] if isinstance(self.blocks[0], Entry) else [inputs["mel"]]
        for segment in segments(self.blocks):
            first = segment[0]
            if isinstance(first, Entry):
                branches.append(first(inputs[first.kind]))
            elif isinstance(first, Join):
                branches = [first(branches)]
            elif recomputes:
                for piece in pieces(segment):
                    branches[-1] = checkpointed(piece, branches[-1])
            else:
                for block in segment:
                    branches[-1] = block(branches[-1])
        return branches[-1]

    def blocks_by_member(self) -> list[list[nn.Module]]:
        """The blocks of each member; those that join members are in none."""
        own = len(self.blocks) // self.members
        return [list(self.blocks[first * own : (first + 1) * own]) for first in range(self.members)]

    def freeze(self, blocks: Iterable[int]) -> None:
        """These blocks, and no others, keep their weights and statistics from now on, and with the first that meets the
        spectrogram the input standardisation."""
        for part in self._frozen_parts():
            part.requires_grad_(True)
        self.frozen = tuple(sorted(set(blocks)))
        for part in self._frozen_parts():
            part.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> "Network":
        """As usual, but for the frozen blocks: they stay as in evaluation, and so do all batch norms where statistics
        are kept. Blocks without weights (dropout) follow."""
        super().train(mode)
        for part in self._frozen_parts():
            if part.state_dict():
                part.eval()
        if self.keeps_statistics:
            for part in self.modules():
                if isinstance(part, _BatchNorm):
                    part.eval()
        return self

    def keep_statistics(self, keep: bool = True) -> None:
        """From now on batch norms keep their running statistics, in training too; their scale and shift are trained."""
        self.keeps_statistics = keep
        self.train(self.training)

    def _frozen_parts(self) -> list[nn.Module]:
        return [self.blocks[i] for i in self.frozen] + list(self._frozen_standardize())

    def _frozen_standardize(self) -> Iterator[nn.Module]:
        entries = (i for i, block in enumerate(self.blocks) if isinstance(block, Entry) and block.kind == "mel")
        if next(entries, 0) in self.frozen:
            yield self.standardize

    def replace_classifier(self, classes: int, seed: int) -> None:
        """A fresh last layer for other classes, the rest kept: call it before the optimizer is made."""
        weight = self.classifier.weight
        fresh = make_classifier(self.classifier.in_features, classes, seed, self.initial, self.members)
        self.classifier = fresh.to(device=weight.device, dtype=weight.dtype)


def build_network(
    config: ModelConfig,
    *,
    input_shape: InputShape,
    classes: int,
    seed: int,
    standardize: Standardize = "none",
) -> Network:
    """Builds the network of a config for clips of `input_shape`, with initial weights by `seed`.

    `standardize` is for the mel spectrogram; a network that hears none has no such layer.

    The weights before the classifier do not depend on the number of classes. Under `torch.device("meta")`
    nothing is allocated, which is enough for `describe`. Raises ShapeError where `shape_faults` finds
    something.
    """
    steps = thread_shapes(config, input_shape)
    # The layers' own constructors draw weights, which ours replace: keep them off the global generator.
    with torch.random.fork_rng(devices=[]):
        blocks = [step.block.build(step.entered, config.res_block) for step in steps]
    mel_shape = shapes_by_input(config.hears, input_shape).get("mel")
    network = Network(
        nn.Identity() if mel_shape is None else make_standardize(standardize, mel_shape[-1]),
        blocks,
        make_classifier(steps[-1].left[0], classes, seed, config.initial, config.members),
        config.hears,
    )
    initialise(network.blocks, seed, "weights", rule=config.initial)
    network.steps, network.initial = tuple(steps), config.initial
    network.views, network.members = config.views, config.members
    return network
