"""The mixture of layers that is fitted with a classifier: it finds the layer that tells, and ends in a minimum."""

import pytest
import torch
import torch.nn.functional as F

from audiosurvey.training.head import LabelledEmbeddings, fit_head, fit_mixture, mixed
from audiosurvey.training.loss import Loss, LossConfig


def examples(useful: int, clips: int = 90, layers: int = 4, features: int = 6) -> LabelledEmbeddings:
    """Three classes that one of the layers tells apart; the others are noise of the same size. One feature is 0."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(clips) % 3
    x_MLN = torch.randn(clips, layers, features, generator=generator)
    x_MLN[:, useful] = 0.5 * x_MLN[:, useful] + 2 * torch.randn(3, features, generator=generator)[labels]
    x_MLN[:, :, 5] = 0
    return LabelledEmbeddings(x_MLN.flatten(1), F.one_hot(labels, 3).float(), torch.ones(clips))


@pytest.mark.parametrize("name", ["cross_entropy", "bce"])
@pytest.mark.parametrize("useful", [0, 2])
def test_the_layer_that_tells_gets_the_weight(useful: int, name: str) -> None:
    loss = Loss(LossConfig(name=name), multi_label=False)
    share_L = fit_mixture(examples(useful), 4, loss, 0.01).softmax(0)
    assert share_L.isfinite().all()
    assert share_L.argmax() == useful
    assert share_L[useful] > 0.6


def test_no_other_mixture_nearby_is_better() -> None:
    """The classifier that is fitted to the mixed features has the least value of what both minimise."""
    data, loss = examples(1), Loss(LossConfig(), multi_label=False)

    def value(mixture_L: torch.Tensor) -> float:
        x_MN = mixed(data.embedding_MN.unflatten(1, (4, -1)), mixture_L)
        head = fit_head(LabelledEmbeddings(x_MN, data.target_MK, data.weight_M), loss, 0.03)
        scaled_KN = head.weight_KN * x_MN.double().std(0, correction=0)
        return head.loss + 0.03 / 2 * float(scaled_KN.square().sum())

    found_L = fit_mixture(data, 4, loss, 0.03)
    best = value(found_L)
    assert best < value(torch.zeros(4))
    for layer in range(4):
        for step in (-0.3, 0.3):
            assert best < value(found_L + step * F.one_hot(torch.tensor(layer), 4)) + 1e-5
