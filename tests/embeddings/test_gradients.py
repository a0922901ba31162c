"""The choice of clips by gradient embeddings, against gradients that are formed."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from audiosurvey.embeddings.gradients import GradientEmbeddings, residuals, spread_out


def factors(seed: int, clips: int, classes: int, features: int) -> GradientEmbeddings:
    rng = np.random.default_rng(seed)
    probability_NK = rng.dirichlet(np.ones(classes), clips)
    return GradientEmbeddings(residuals(probability_NK, multi_label=False), rng.normal(size=(clips, features)))


def formed(gradients: GradientEmbeddings) -> np.ndarray:
    """The gradient embeddings themselves (N, K * E)."""
    return np.einsum("nk,ne->nke", gradients.residual_NK, gradients.embedding_NE).reshape(len(gradients), -1)


@pytest.mark.parametrize("multi_label", [False, True])
def test_the_outer_product_is_the_gradient_of_the_loss(multi_label: bool):
    torch.manual_seed(0)
    layer, embedding_E = torch.nn.Linear(6, 4), torch.randn(6)
    logits_K = layer(embedding_E)
    if multi_label:
        probability_K = logits_K.sigmoid()
        label_K = (probability_K >= 0.5).float()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits_K, label_K, reduction="sum")
    else:
        probability_K = logits_K.softmax(dim=0)
        loss = torch.nn.functional.cross_entropy(logits_K[None], probability_K.argmax()[None])
    loss.backward()
    residual_NK = residuals(probability_K.detach().numpy()[None], multi_label=multi_label)
    own = formed(GradientEmbeddings(residual_NK, embedding_E.numpy()[None]))
    assert layer.weight.grad is not None
    np.testing.assert_allclose(own.reshape(4, 6), layer.weight.grad.numpy(), atol=1e-6)


@given(st.integers(0, 1000), st.integers(1, 30), st.integers(2, 6), st.integers(1, 8))
def test_distances_are_those_of_the_formed_gradients(seed: int, clips: int, classes: int, features: int):
    gradients = factors(seed, clips, classes, features)
    formed_ND = formed(gradients)
    np.testing.assert_allclose(gradients.squared_norm_N, (formed_ND**2).sum(axis=1), atol=1e-9)
    for one in range(clips):
        expected_N = ((formed_ND - formed_ND[one]) ** 2).sum(axis=1)
        np.testing.assert_allclose(gradients.squared_distance_N(one), expected_N, atol=1e-5)


@given(st.integers(0, 1000), st.integers(0, 40), st.integers(1, 50))
def test_clips_are_different_and_the_same_every_time(seed: int, clips: int, number: int):
    gradients = factors(seed, clips, 3, 4) if clips else GradientEmbeddings(np.empty((0, 3)), np.empty((0, 4)))
    picked = spread_out(gradients, number, np.random.default_rng(seed))
    assert len(picked) == len(set(picked)) == min(number, clips)
    assert picked == spread_out(gradients, number, np.random.default_rng(seed))
    # The first few are the choice of a few.
    assert picked[: number // 2] == spread_out(gradients, number // 2, np.random.default_rng(seed))
    if picked:
        assert picked[0] == gradients.squared_norm_N.argmax()


def test_the_choice_is_that_of_k_means_plus_plus_on_the_formed_gradients():
    gradients = factors(5, 50, 4, 6)
    formed_ND, rng = formed(gradients), np.random.default_rng(9)
    expected = [int((formed_ND**2).sum(axis=1).argmax())]
    for _ in range(9):
        # The origin is a centre, too.
        centres = [np.zeros_like(formed_ND[0]), *formed_ND[expected]]
        distance_N = np.min([((formed_ND - centre) ** 2).sum(axis=1) for centre in centres], axis=0)
        expected.append(int(rng.choice(50, p=distance_N / distance_N.sum())))
    assert spread_out(gradients, 10, np.random.default_rng(9)) == expected


def test_copies_come_last():
    gradients = factors(1, 10, 3, 4)
    twice = GradientEmbeddings(np.tile(gradients.residual_NK, (2, 1)), np.tile(gradients.embedding_NE, (2, 1)))
    picked = spread_out(twice, 20, np.random.default_rng(0))
    assert {one % 10 for one in picked[:10]} == set(range(10))
    assert sorted(picked) == list(range(20))


@given(st.integers(0, 1000))
def test_clips_of_which_the_model_is_certain_come_last(seed: int):
    certain = [[1 - share, share] for share in np.linspace(1e-8, 2e-8, 20)]
    probability_NK = np.array([*certain, [0.51, 0.49], [0.49, 0.51], [0.6, 0.4]])
    gradients = GradientEmbeddings(residuals(probability_NK, multi_label=False), np.eye(23))
    assert set(spread_out(gradients, 3, np.random.default_rng(seed))) == {20, 21, 22}
