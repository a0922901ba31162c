"""Linear probe: a classifier fitted to embeddings by logistic regression (multinomial, or binary with bce), alone or
together with a mixture of an encoder's layers."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from audiosurvey.threads import one_thread
from audiosurvey.training.loss import Loss

PENALTIES = (0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
"""Candidates of `head_penalty: auto`; the strongest first, as each fit starts from the one before."""
_MOST_ITERATIONS = 300
_MOST_OF_MIXTURE = 100
_CONSTANT = 1e-12
"""Variance below which a feature is taken as constant in a mixture; it gets no weight there."""


@dataclass(frozen=True)
class LabelledEmbeddings:
    """Windows of clips; the weights of the windows of a clip add up to 1."""

    embedding_MN: torch.Tensor
    target_MK: torch.Tensor
    weight_M: torch.Tensor

    def rows(self, chosen_M: torch.Tensor) -> "LabelledEmbeddings":
        """The windows where `chosen_M` is true."""
        return LabelledEmbeddings(self.embedding_MN[chosen_M], self.target_MK[chosen_M], self.weight_M[chosen_M])


@dataclass(frozen=True)
class Head:
    """A fitted linear layer on unscaled embeddings."""

    weight_KN: torch.Tensor
    bias_K: torch.Tensor
    penalty: float
    iterations: int
    loss: float
    """Mean over the clips, without the penalty."""

    def logits(self, embedding_MN: torch.Tensor) -> torch.Tensor:
        return embedding_MN.double() @ self.weight_KN.T + self.bias_K


def fit_head(examples: LabelledEmbeddings, loss: Loss, penalty: float, start: Head | None = None) -> Head:
    """Minimises the mean loss of the clips plus penalty / 2 times the squared norm of the weights; L-BFGS in float64.

    The penalty applies to the weights on standardised features; the returned layer takes the original ones: weights
    W / s and bias b - W m / s, with mean m and standard deviation s. For bce the loss is summed over the classes, so
    that the fit of a class does not depend on their number.
    """
    x_MN = examples.embedding_MN.double()
    share_M = examples.weight_M.double() / examples.weight_M.sum()
    mean_N = share_M @ x_MN
    deviation_N = (share_M @ (x_MN - mean_N).square()).sqrt()
    # Constant features get a weight of 0.
    deviation_N = torch.where(deviation_N > 1e-6 * (1 + mean_N.abs()), deviation_N, torch.inf)
    x_MN = (x_MN - mean_N) / deviation_N
    classes, features = examples.target_MK.shape[1], x_MN.shape[1]
    scale = classes if loss.binary else 1
    weight_KN = torch.zeros(classes, features, dtype=torch.float64)
    bias_K = torch.zeros(classes, dtype=torch.float64)
    if start is not None:
        finite_N = torch.where(deviation_N.isfinite(), deviation_N, 0)
        weight_KN = start.weight_KN * finite_N
        bias_K = start.bias_K + start.weight_KN @ mean_N
    weight_KN.requires_grad_(True)
    bias_K.requires_grad_(True)
    optimizer = torch.optim.LBFGS(
        [weight_KN, bias_K],
        max_iter=_MOST_ITERATIONS,
        tolerance_grad=1e-5,
        tolerance_change=1e-10,
        line_search_fn="strong_wolfe",
    )

    def mean_loss() -> torch.Tensor:
        return scale * (share_M @ loss(x_MN @ weight_KN.T + bias_K, examples.target_MK))

    def objective() -> torch.Tensor:
        optimizer.zero_grad()
        value = mean_loss() + penalty / 2 * weight_KN.square().sum()
        value.backward()
        return value

    with one_thread():
        optimizer.step(objective)  # pyright: ignore[reportArgumentType]
    with torch.no_grad():
        plain_KN = weight_KN / deviation_N
        iterations = int(optimizer.state[weight_KN]["n_iter"])
        return Head(plain_KN, bias_K - plain_KN @ mean_N, penalty, iterations, float(mean_loss()) / scale)


def choose_penalty(examples: LabelledEmbeddings, group_M: torch.Tensor, loss: Loss) -> float:
    """The penalty with the lowest loss in leave-one-group-out cross-validation; the strongest of equals."""
    held_out = [group_M == group for group in group_M.unique()]
    found = dict.fromkeys(PENALTIES, 0.0)
    for out_M in held_out:
        tested, head = examples.rows(out_M), None
        for penalty in PENALTIES:
            head = fit_head(examples.rows(~out_M), loss, penalty, head)
            found[penalty] += float(tested.weight_M.double() @ loss(head.logits(tested.embedding_MN), tested.target_MK))
    return min(found, key=lambda penalty: (found[penalty], -penalty))


def join(parts: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> LabelledEmbeddings:
    """From the embeddings (W, N) and the target (K) of each clip."""
    embedding_MN = torch.cat([windows for windows, _ in parts])
    target_MK = torch.cat([target_K.expand(len(windows), -1) for windows, target_K in parts])
    weight_M = torch.cat([torch.full((len(windows),), 1 / len(windows)) for windows, _ in parts])
    return LabelledEmbeddings(embedding_MN, target_MK, weight_M)


def fit_mixture(examples: LabelledEmbeddings, layers: int, loss: Loss, penalty: float) -> torch.Tensor:
    """Logits (L) of the shares with which the features of L layers are added; their softmax are the shares.

    `examples`: the features of all layers one after the other (M, L * N). Classifier and shares minimise together what
    `fit_head` minimises for given features. It begins with equal shares.
    """
    x_MLN = examples.embedding_MN.double().unflatten(1, (layers, -1))
    share_M = examples.weight_M.double() / examples.weight_M.sum()
    classes, features = examples.target_MK.shape[1], x_MLN.shape[2]
    scale = classes if loss.binary else 1
    mixture_L = torch.zeros(layers, dtype=torch.float64, requires_grad=True)
    weight_KN = torch.zeros(classes, features, dtype=torch.float64, requires_grad=True)
    bias_K = torch.zeros(classes, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [mixture_L, weight_KN, bias_K],
        max_iter=_MOST_OF_MIXTURE,
        tolerance_grad=1e-5,
        tolerance_change=1e-8,
        line_search_fn="strong_wolfe",
    )

    def objective() -> torch.Tensor:
        optimizer.zero_grad()
        x_MN = _standardised(mixed(x_MLN, mixture_L), share_M)
        value = scale * (share_M @ loss(x_MN @ weight_KN.T + bias_K, examples.target_MK))
        value = value + penalty / 2 * weight_KN.square().sum()
        value.backward()
        return value

    with one_thread():
        optimizer.step(objective)  # pyright: ignore[reportArgumentType]
    return mixture_L.detach().float()


def mixed(features_MLN: torch.Tensor, mixture_L: torch.Tensor) -> torch.Tensor:
    """Features (M, N): those of the layers (M, L, N), added with the shares of a mixture (L)."""
    return torch.einsum("l,mln->mn", mixture_L.softmax(dim=0), features_MLN)


def _standardised(x_MN: torch.Tensor, share_M: torch.Tensor) -> torch.Tensor:
    x_MN = x_MN - share_M @ x_MN
    variance_N = share_M @ x_MN.square()
    varies_N = variance_N > _CONSTANT
    # The root of 0 has no gradient.
    return x_MN * varies_N / torch.where(varies_N, variance_N, 1.0).sqrt()
