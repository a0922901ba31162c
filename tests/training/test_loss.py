"""The loss by hand and against torch's own."""

import pytest
import torch
import torch.nn.functional as F

from audiosurvey.errors import UserError
from audiosurvey.training.loss import Loss, LossConfig


def logits_and_labels() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(6, 4, generator=generator), torch.tensor([0, 1, 2, 3, 0, 1])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_is_torchs(smoothing):
    logits, labels = logits_and_labels()
    loss = Loss(LossConfig(label_smoothing=smoothing), multi_label=False)
    ours = loss(logits, F.one_hot(labels, 4).float())
    theirs = F.cross_entropy(logits, labels, label_smoothing=smoothing, reduction="none")
    torch.testing.assert_close(ours, theirs)


def test_mixed_target_is_the_mean_of_both():
    logits, labels = logits_and_labels()
    loss = Loss(LossConfig(), multi_label=False)
    own, other = F.one_hot(labels, 4).float(), F.one_hot(labels.flip(0), 4).float()
    mixed = loss(logits, 0.3 * own + 0.7 * other)
    torch.testing.assert_close(mixed, 0.3 * loss(logits, own) + 0.7 * loss(logits, other))


def test_bce_by_hand():
    loss = Loss(LossConfig(), multi_label=True)
    assert loss.binary
    value = loss(torch.tensor([[0.0, 2.0]]), torch.tensor([[1.0, 0.0]]))
    by_hand = (torch.log(torch.tensor(2.0)) + torch.log1p(torch.exp(torch.tensor(2.0)))) / 2
    assert float(value) == pytest.approx(float(by_hand))


def test_auto_follows_the_labels_and_a_choice_wins():
    assert not Loss(LossConfig(), multi_label=False).binary
    assert Loss(LossConfig(name="bce"), multi_label=False).binary


def test_a_softmax_cannot_tell_several_labels():
    with pytest.raises(UserError, match="several labels"):
        Loss(LossConfig(name="cross_entropy"), multi_label=True)


def test_scores_are_probabilities():
    logits, _ = logits_and_labels()
    torch.testing.assert_close(Loss(LossConfig(), False).scores(logits).sum(1), torch.ones(6))
    assert torch.equal(Loss(LossConfig(), True).scores(logits), logits.sigmoid())


def test_loss_is_float32_for_bf16_logits():
    logits, labels = logits_and_labels()
    assert Loss(LossConfig(), False)(logits.bfloat16(), F.one_hot(labels, 4).float()).dtype == torch.float32
