"""The network: input standardisation, the blocks in a row, and the linear layer to the classes."""

from collections.abc import Iterable

import torch
from torch import nn

from audiosurvey.model.checkpointing import checkpointed, segments
from audiosurvey.model.faults import Step, thread_shapes
from audiosurvey.model.grammar import ModelConfig
from audiosurvey.model.initial import Initial, initialise, make_classifier
from audiosurvey.model.normalise import Standardize, make_standardize
from audiosurvey.model.shapes import Shape


class Network(nn.Module):
    """Mel spectrograms (B, C, T, F) to logits (B, K), float32 under any autocast."""

    def __init__(self, standardize: nn.Module, blocks: list[nn.Module], classifier: nn.Linear) -> None:
        super().__init__()
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

    def forward(self, x_BCTF: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.embed(x_BCTF)).float()

    def embed(self, x_BCTF: torch.Tensor) -> torch.Tensor:
        """The features (B, N) that the classifier reads."""
        x = self.standardize(x_BCTF)
        if self.use_checkpoint and self.training and torch.is_grad_enabled():
            for segment in segments(self.blocks):
                x = checkpointed(segment, x)
            return x
        for block in self.blocks:
            x = block(x)
        return x

    def freeze(self, blocks: Iterable[int]) -> None:
        """These blocks, and no others, keep their weights and statistics from now on, and with block 0 the input
        standardisation."""
        for part in self._frozen_parts():
            part.requires_grad_(True)
        self.frozen = tuple(sorted(set(blocks)))
        for part in self._frozen_parts():
            part.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> "Network":
        """As usual, but for the frozen blocks: they stay as in evaluation. Blocks without weights (dropout) follow."""
        super().train(mode)
        for part in self._frozen_parts():
            if part.state_dict():
                part.eval()
        return self

    def _frozen_parts(self) -> list[nn.Module]:
        return [self.blocks[i] for i in self.frozen] + ([self.standardize] if 0 in self.frozen else [])

    def replace_classifier(self, classes: int, seed: int) -> None:
        """A fresh last layer for other classes, the rest kept: call it before the optimizer is made."""
        weight = self.classifier.weight
        fresh = make_classifier(self.classifier.in_features, classes, seed, self.initial)
        self.classifier = fresh.to(device=weight.device, dtype=weight.dtype)


def build_network(
    config: ModelConfig,
    *,
    input_shape: Shape,
    classes: int,
    seed: int,
    standardize: Standardize = "none",
) -> Network:
    """Builds the network of a config for clips of `input_shape` (C, T, F), with initial weights by `seed`.

    The weights before the classifier do not depend on the number of classes. Under `torch.device("meta")`
    nothing is allocated, which is enough for `describe`. Raises ShapeError where `shape_faults` finds
    something.
    """
    steps = thread_shapes(config, input_shape)
    # The layers' own constructors draw weights, which ours replace: keep them off the global generator.
    with torch.random.fork_rng(devices=[]):
        blocks = [step.block.build(step.entered, config.res_block) for step in steps]
    network = Network(
        make_standardize(standardize, input_shape[-1]),
        blocks,
        make_classifier(steps[-1].left[0], classes, seed, config.initial),
    )
    initialise(network.blocks, seed, "weights", rule=config.initial)
    network.steps, network.initial = tuple(steps), config.initial
    return network
