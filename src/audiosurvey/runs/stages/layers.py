"""Frozen encoders with `layer: all`: the mixture of the layers is fitted, and each layer is scored alone.

The features of all layers come from one pass over the clips. Nothing here looks at clips that are held out.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from audiosurvey.data.table import Clip
from audiosurvey.model.encoders.hub_encoder import mixing_encoder
from audiosurvey.model.network import Network
from audiosurvey.runs.evaluation.scores import monitored
from audiosurvey.runs.stages.embeddings import Embeddings
from audiosurvey.runs.stages.head_problem import HeadProblem, problem_of
from audiosurvey.runs.stages.stage import Stage
from audiosurvey.training.head import fit_head, fit_mixture
from audiosurvey.training.sound_scores import ScoredWindows


def equally_mixed(stage: Stage, clips: Sequence[Clip], embeddings: Embeddings) -> HeadProblem:
    """The fit to all layers in equal shares, whose penalty the other fits take."""
    return problem_of(stage, clips, embeddings.mixed(torch.zeros(embeddings.layers)))


def fit_layers(equal: HeadProblem, network: Network, embeddings: Embeddings) -> Embeddings:
    """Fits the mixture of the encoder's layers, puts it into the network, and returns the embeddings mixed by it."""
    encoder = mixing_encoder(network)
    assert encoder is not None, "only an encoder with a mixture gives the features of each layer"
    apart = replace(equal, embeddings=embeddings)
    mixture_L = fit_mixture(apart.examples, embeddings.layers, equal.loss, equal.penalty)
    with torch.no_grad():
        encoder.mixture.copy_(mixture_L)
    return embeddings.mixed(mixture_L)


def score_layers(stage: Stage, equal: HeadProblem, embeddings: Embeddings) -> list[float]:
    """The accuracy (mAP for several labels) of a linear probe on each layer alone, cross-validated over its clips."""
    alone = (replace(equal, embeddings=embeddings.layer(layer)) for layer in range(embeddings.layers))
    return [monitored(stage.measure(_cross_validated(stage, one, equal.penalty), one.clips))[0] for one in alone]


def _cross_validated(stage: Stage, problem: HeadProblem, penalty: float) -> ScoredWindows:
    """Scores of the clips, each by a classifier that was fitted without the clip's part."""
    examples, group_M = problem.examples, problem.group_M
    score_MK = torch.zeros_like(examples.target_MK)
    for group in group_M.unique():
        out_M = group_M == group
        head = fit_head(examples.rows(~out_M), problem.loss, penalty)
        score_MK[out_M] = stage.loss.scores(head.logits(examples.embedding_MN[out_M]))
    counts_N = np.array([len(problem.embeddings.of(clip)) for clip in problem.clips])
    return ScoredWindows(score_MK[: counts_N.sum()].numpy(), counts_N)
