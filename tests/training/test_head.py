"""The classifier of a linear probe: against scikit-learn, by hand, and what it must not depend on."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from audiosurvey.training.head import PENALTIES, LabelledEmbeddings, choose_penalty, fit_head, join
from audiosurvey.training.loss import Loss, LossConfig

CE, BCE = Loss(LossConfig(), multi_label=False), Loss(LossConfig(name="bce"), multi_label=False)


def examples(clips: int = 60, features: int = 5, classes: int = 3, noise: float = 1.0) -> LabelledEmbeddings:
    """Clips of one window, whose classes lie at places of their own; features of unlike scale."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(clips) % classes
    centres = torch.randn(classes, features, generator=generator)
    x = centres[labels] + noise * torch.randn(clips, features, generator=generator)
    x = x * torch.tensor([10.0**n for n in range(-2, features - 2)]) + 3
    return LabelledEmbeddings(x, F.one_hot(labels, classes).float(), torch.ones(clips))


def standardised(x: torch.Tensor) -> np.ndarray:
    return ((x - x.mean(0)) / x.std(0, correction=0)).double().numpy()


@pytest.mark.parametrize("penalty", [0.3, 0.003])
def test_it_is_scikit_learns_on_standardised_features(penalty: float) -> None:
    from sklearn.linear_model import LogisticRegression

    data = examples()
    head = fit_head(data, CE, penalty)
    # Its penalty stands beside the sum over the clips, ours beside their mean.
    x = standardised(data.embedding_MN)
    theirs = LogisticRegression(C=1 / (len(x) * penalty), tol=1e-8, max_iter=5000).fit(x, data.target_MK.argmax(1))
    ours = head.logits(data.embedding_MN).softmax(1).numpy()
    np.testing.assert_allclose(ours, theirs.predict_proba(x), atol=2e-4)


def test_with_bce_each_class_is_fitted_for_itself() -> None:
    from sklearn.linear_model import LogisticRegression

    data = examples()
    head = fit_head(data, BCE, 0.03)
    x = standardised(data.embedding_MN)
    for k in range(3):
        theirs = LogisticRegression(C=1 / (len(x) * 0.03), tol=1e-8, max_iter=5000).fit(x, data.target_MK[:, k])
        ours = head.logits(data.embedding_MN)[:, k].sigmoid().numpy()
        np.testing.assert_allclose(ours, theirs.predict_proba(x)[:, 1], atol=2e-4)


def test_by_hand_for_one_feature_of_two_values() -> None:
    """Four clips at -1 and +1, three of four as their side says: without penalty the odds at +1 are 3 to 1."""
    x = torch.tensor([-1.0, -1, -1, -1, 1, 1, 1, 1])[:, None]
    labels = torch.tensor([0, 0, 0, 1, 1, 1, 1, 0])
    head = fit_head(LabelledEmbeddings(x, F.one_hot(labels, 2).float(), torch.ones(8)), CE, 1e-9)
    odds = head.logits(torch.tensor([[1.0]]))[0].diff()
    assert float(odds) == pytest.approx(math.log(3), abs=1e-4)
    assert head.loss == pytest.approx(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)), abs=1e-6)


def test_a_feature_that_never_changes_changes_nothing() -> None:
    data = examples()
    more = LabelledEmbeddings(
        torch.cat([data.embedding_MN, torch.full((60, 1), 7.0)], 1), data.target_MK, data.weight_M
    )
    head, other = fit_head(data, CE, 0.01), fit_head(more, CE, 0.01)
    assert not other.weight_KN[:, -1].any()
    torch.testing.assert_close(other.weight_KN[:, :-1], head.weight_KN)


def test_a_clip_weighs_the_same_however_many_windows_it_has() -> None:
    data = examples(clips=12)
    once = join([(x[None], t) for x, t in zip(data.embedding_MN, data.target_MK, strict=True)])
    often = join(
        [(x.expand(n % 3 + 1, -1), t) for n, (x, t) in enumerate(zip(data.embedding_MN, data.target_MK, strict=True))]
    )
    assert len(often.weight_M) == 24
    assert float(often.weight_M.sum()) == pytest.approx(12)
    torch.testing.assert_close(
        fit_head(often, CE, 0.1).weight_KN, fit_head(once, CE, 0.1).weight_KN, rtol=1e-3, atol=1e-4
    )


def test_class_weights_move_the_border() -> None:
    data = examples(noise=3.0)
    weighed = Loss(LossConfig(), False, torch.tensor([5.0, 1.0, 1.0]))
    plain, moved = (fit_head(data, loss, 0.1).logits(data.embedding_MN).argmax(1) for loss in (CE, weighed))
    assert (moved == 0).sum() > (plain == 0).sum()


def test_the_penalty_is_chosen_by_what_was_held_out() -> None:
    groups = torch.arange(60) // 3 % 3
    chosen = choose_penalty(examples(noise=6.0), groups, CE)
    assert chosen == max(PENALTIES)
    # Classes far apart: the less restrained, the surer.
    assert choose_penalty(examples(noise=0.01), groups, CE) == min(PENALTIES)


def test_a_fit_that_starts_from_another_ends_at_the_same_place() -> None:
    data = examples()
    start = fit_head(data, CE, 0.3)
    torch.testing.assert_close(
        fit_head(data, CE, 0.01, start).logits(data.embedding_MN),
        fit_head(data, CE, 0.01).logits(data.embedding_MN),
        rtol=0,
        atol=1e-3,
    )
