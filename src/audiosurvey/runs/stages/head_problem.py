"""What a classifier is fitted to: the embeddings of clips with their targets, the loss and the penalty."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch

from audiosurvey.config.root import Config
from audiosurvey.data.splits.stratify import by_rarest_label
from audiosurvey.data.table import Clip, Table, truth
from audiosurvey.randomness import stream
from audiosurvey.runs.stages.embeddings import Embeddings
from audiosurvey.runs.stages.stage import Stage
from audiosurvey.training.head import Head, LabelledEmbeddings, choose_penalty, fit_head, join
from audiosurvey.training.loss import Loss, class_weights

_GROUPS = 3
"""Parts of the training clips for choosing the penalty; each is held out once."""


@dataclass(frozen=True)
class HeadProblem:
    """A classifier for clips of a table, with loss and penalty of a config."""

    config: Config
    table: Table
    clips: Sequence[Clip]
    embeddings: Embeddings
    others: Sequence[tuple[Sequence[Clip], float]] = ()
    """Sounds of no class, each with its weight in place of the 1 of a clip."""
    other_target: float = 0.0
    """Their target for each class."""

    @cached_property
    def loss(self) -> Loss:
        several, config = self.table.multi_label, self.config.loss
        return Loss(config, several, class_weights(config, self.table.classes, self.clips, several))

    @cached_property
    def examples(self) -> LabelledEmbeddings:
        """The windows of the clips in their order, then those of the sounds of no class."""
        classes, embeddings = len(self.table.classes), self.embeddings
        target_NK = torch.from_numpy(truth(self.clips, classes))
        known = join([(embeddings.of(clip), target_K) for clip, target_K in zip(self.clips, target_NK, strict=True)])
        target_K = torch.full((classes,), self.other_target)
        parts = [known]
        for sounds, weight in self.others:
            part = join([(embeddings.of(sound), target_K) for sound in sounds])
            parts.append(replace(part, weight_M=part.weight_M * weight))
        return LabelledEmbeddings(
            torch.cat([part.embedding_MN for part in parts]),
            torch.cat([part.target_MK for part in parts]),
            torch.cat([part.weight_M for part in parts]),
        )

    @cached_property
    def group_M(self) -> torch.Tensor:
        """The part of each window of the examples, for cross-validation; a recording is never divided."""
        every = [*self.clips, *(sound for sounds, _ in self.others for sound in sounds)]
        units: dict[tuple[bool, str], list[Clip]] = defaultdict(list)
        for row in stream(self.config.seed, "penalty").permutation(len(every)):
            clip = every[row]
            units[clip.source is not None, clip.source or clip.id].append(clip)
        parts = by_rarest_label(list(units.values()), _GROUPS, len(self.table.classes))
        part_of = {clip.id: part for unit, part in zip(units.values(), parts, strict=True) for clip in unit}
        return torch.tensor([part_of[clip.id] for clip in every for _ in self.embeddings.of(clip)])

    @cached_property
    def penalty(self) -> float:
        penalty = self.config.train.head_penalty
        return choose_penalty(self.examples, self.group_M, self.loss) if penalty == "auto" else penalty

    def fit(self) -> Head:
        return fit_head(self.examples, self.loss, self.penalty)


def problem_of(stage: Stage, clips: Sequence[Clip], embeddings: Embeddings) -> HeadProblem:
    """That of these clips and of the stage's sounds of no class."""
    others = stage.others
    counts = zip((others.recorded, others.made), others.counts(len(clips)), strict=True)
    weighted = [(sounds, count / len(sounds)) for sounds, count in counts if count]
    return HeadProblem(stage.config, stage.sounds.table, clips, embeddings, weighted, stage.other_target)
