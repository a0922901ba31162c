"""Choice of clips that are uncertain and diverse: BADGE (Ash et al. 2020, arXiv 1906.03671).

The gradient embedding of a clip is the gradient of its loss with respect to the weights of the last layer, if the label
that the model gives it were true. For a linear layer with softmax or sigmoid it is the outer product of the residual
r = p - y of the probabilities (K) and the embedding h (N). Its norm is large where the model is uncertain, its
direction depends on the sound and on the classes in question. k-means++ (Arthur and Vassilvitskii 2007) picks clips
that are far apart: each with a probability proportional to the squared distance to the nearest one picked before.

Products of outer products factorise, so that no embedding of size K x N is formed:

    |r1 h1' - r2 h2'|^2 = |r1|^2 |h1|^2 + |r2|^2 |h2|^2 - 2 (r1 . r2) (h1 . h2)

As in the authors' code, the first clip is the one with the largest norm. Beyond the paper, the origin, where the
gradients of clips lie that the model is certain of, counts as a point already picked. Without it, a clip of which the
model is certain would be far from any uncertain one that was picked, and would be picked itself.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

_ROUNDING = 1e-6
"""Squared distances below this share of the squared norms are 0: the clips are copies of each other."""


def residuals(probability_NK: np.ndarray, *, multi_label: bool) -> np.ndarray:
    """Probabilities minus the labels (N, K) that the model gives: its best class, or with several labels each class
    with a probability of at least 0.5, as the gradient of binary cross-entropy is that of each class by itself."""
    probability_NK = np.asarray(probability_NK, np.float64)
    if multi_label:
        return probability_NK - (probability_NK >= 0.5)
    label_NK = np.zeros_like(probability_NK)
    label_NK[np.arange(len(label_NK)), probability_NK.argmax(axis=1)] = 1
    return probability_NK - label_NK


@dataclass(frozen=True)
class GradientEmbeddings:
    """The gradient embeddings of N clips as two factors."""

    residual_NK: np.ndarray
    embedding_NE: np.ndarray

    def __len__(self) -> int:
        return len(self.residual_NK)

    @cached_property
    def squared_norm_N(self) -> np.ndarray:
        """Squared Euclidean norms, float64."""
        residual_N = np.einsum("nk,nk->n", self.residual_NK, self.residual_NK, dtype=np.float64)
        return residual_N * np.einsum("ne,ne->n", self.embedding_NE, self.embedding_NE, dtype=np.float64)

    def squared_distance_N(self, to: int) -> np.ndarray:
        """Squared Euclidean distances (N) to one of them."""
        residual_N = self.residual_NK @ self.residual_NK[to]
        norms_N = self.squared_norm_N + self.squared_norm_N[to]
        distance_N = norms_N - 2 * residual_N * (self.embedding_NE @ self.embedding_NE[to])
        return np.where(distance_N > _ROUNDING * norms_N, distance_N, 0.0)


def spread_out(gradients: GradientEmbeddings, number: int, rng: np.random.Generator) -> list[int]:
    """`number` different clips (all, if there are fewer), in the order in which they were picked."""
    left_N = np.ones(len(gradients), bool)
    # To the nearest clip that was picked, or to the origin.
    distance_N = gradients.squared_norm_N
    picked: list[int] = []
    while len(picked) < min(number, len(gradients)):
        weight_N = np.where(left_N, distance_N, 0.0)
        if picked and weight_N.sum() > 0:
            one = int(rng.choice(len(weight_N), p=weight_N / weight_N.sum()))
        else:
            # The first; and when only copies of picked clips are left, those with the largest norm.
            one = int(np.where(left_N, gradients.squared_norm_N, -1.0).argmax())
        distance_N = np.minimum(distance_N, gradients.squared_distance_N(one))
        left_N[one] = False
        picked.append(one)
    return picked
