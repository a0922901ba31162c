"""The network: input standardisation, blocks, and a linear classifier."""

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
from audiosurvey.model.initial import initialise, make_classifier
from audiosurvey.model.shapes import InputShape
from audiosurvey.model.views import mean_view, shifted_views


class Network(nn.Module):
    """Maps mel spectrograms (B, C, T, F), waves (B, 1, S), or a pair of waves and spectrograms to logits (B, K), in
    float32 under any autocast."""

    def __init__(
        self,
        standardize: nn.Module,
        blocks: list[nn.Module],
        classifier: nn.Linear,
        hears: tuple[Input, ...] = ("mel",),
    ) -> None:
        super().__init__()
        self.hears = hears
        """The inputs of `forward`, in this order."""
        self.standardize = standardize
        self.blocks = nn.ModuleList(blocks)
        self.classifier = classifier
        self.use_checkpoint = False
        """Activation checkpointing: less memory, more time."""
        self.steps: tuple[Step, ...] = ()
        """The configured blocks with their shapes, one for each of `blocks`."""
        self.frozen: tuple[int, ...] = ()
        """Indices of frozen blocks, which keep their weights and statistics in training."""
        self.keeps_statistics = False
        """Whether batch-norms stay in evaluation mode during training."""
        self.members = 1
        """Size of the ensemble (`model.members`); each member has an equal share of the features, in order."""
        self.views = 1
        """Number of circular shifts that features are averaged over in evaluation (`model.views`)."""

    def forward(self, heard: NetworkInput) -> torch.Tensor:
        return self.classifier(self.embed(heard)).float()

    def member_logits(self, heard: NetworkInput) -> torch.Tensor:
        """The logits of each member (B, M, K), for the loss; `forward` returns their mean."""
        if self.members == 1:
            return self(heard).unsqueeze(1)
        features_BMN = self.embed(heard).unflatten(1, (self.members, -1))
        weight_KMN = self.classifier.weight.unflatten(1, (self.members, -1))
        logits_BMK = torch.einsum("bmn,kmn->bmk", features_BMN * self.members, weight_KMN)
        return (logits_BMK + self.classifier.bias).float()

    def embed(self, heard: NetworkInput) -> torch.Tensor:
        """The input (B, N) of the classifier: the features of all members, concatenated and divided by their number, so
        that the logits are the mean of theirs."""
        if self.training or self.views == 1:
            features_BN = self._embed(heard)
        else:
            features_BN = mean_view(self._embed(shifted_views(heard, self.views)), self.views)
        return features_BN if self.members == 1 else features_BN / self.members

    def _embed(self, heard: NetworkInput) -> torch.Tensor:
        inputs = by_input(self.hears, heard)
        if "mel" in inputs:
            inputs["mel"] = self.standardize(inputs["mel"])
        recomputes = self.use_checkpoint and self.training and torch.is_grad_enabled()
        # One branch per `input`; blocks work on the last.
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
        """The blocks of each member, without the final `join`."""
        own = len(self.blocks) // self.members
        return [list(self.blocks[first * own : (first + 1) * own]) for first in range(self.members)]

    def freeze(self, blocks: Iterable[int]) -> None:
        """Freezes exactly these blocks, and the input standardisation if the first block on the spectrogram is one of
        them."""
        for part in self._frozen_parts():
            part.requires_grad_(True)
        self.frozen = tuple(sorted(set(blocks)))
        for part in self._frozen_parts():
            part.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> "Network":
        """Like `nn.Module.train`, but frozen blocks with weights stay in evaluation mode, as do all batch-norms after
        `keep_statistics`."""
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
        """Fixes the running statistics of all batch-norms; their scale and shift are still trained."""
        self.keeps_statistics = keep
        self.train(self.training)

    def _frozen_parts(self) -> list[nn.Module]:
        return [self.blocks[i] for i in self.frozen] + list(self._frozen_standardize())

    def _frozen_standardize(self) -> Iterator[nn.Module]:
        entries = (i for i, block in enumerate(self.blocks) if isinstance(block, Entry) and block.kind == "mel")
        if next(entries, 0) in self.frozen:
            yield self.standardize


def build_network(
    config: ModelConfig,
    *,
    input_shape: InputShape,
    classes: int,
    seed: int,
    standardize: Standardize = "none",
) -> Network:
    """Builds the network of a config for clips of `input_shape`, initialised by `seed`.

    `standardize` applies to the mel spectrogram, if that is an input. The weights before the classifier do not depend
    on the number of classes. Under `torch.device("meta")` nothing is allocated, which is enough for `describe`. Raises
    ShapeError if `shape_faults` finds an error.
    """
    steps = thread_shapes(config, input_shape)
    # The constructors draw weights, which are replaced: keep them off the global generator.
    with torch.random.fork_rng(devices=[]):
        blocks = [step.block.build(step.entered) for step in steps]
    mel_shape = shapes_by_input(config.hears, input_shape).get("mel")
    network = Network(
        nn.Identity() if mel_shape is None else make_standardize(standardize, mel_shape[-1]),
        blocks,
        make_classifier(steps[-1].left[0], classes, seed, config.initial, config.members),
        config.hears,
    )
    initialise(network.blocks, seed, "weights", rule=config.initial)
    network.steps = tuple(steps)
    network.views, network.members = config.views, config.members
    return network
