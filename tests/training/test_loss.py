"""The loss by hand and against torch's own."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from audiosurvey.data.table import Clip
from audiosurvey.errors import UserError
from audiosurvey.training.loss import Loss, LossConfig, class_weights


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


def clips(*labels: int) -> list[Clip]:
    return [Clip(str(n), Path(str(n)), (label,)) for n, label in enumerate(labels)]


def weights(config: LossConfig, classes: tuple[str, ...], table: list[Clip]) -> torch.Tensor:
    weight_K = class_weights(config, classes, table)
    assert weight_K is not None
    return weight_K


def test_balanced_weights_by_hand():
    """Of six clips three, two and one: 6 / (3 n) is 2/3, 1 and 2; the clips weigh 1 on average."""
    table = clips(0, 0, 0, 1, 1, 2)
    weight_K = weights(LossConfig(class_weights="balanced"), ("a", "b", "c"), table)
    assert weight_K.tolist() == pytest.approx([2 / 3, 1, 2])
    assert sum(weight_K[clip.labels[0]] for clip in table) == pytest.approx(6)


def test_a_class_without_training_clips_weighs_one():
    weight_K = weights(LossConfig(class_weights="balanced"), ("a", "b", "c"), clips(0, 0, 1))
    assert weight_K.tolist() == pytest.approx([0.5, 1, 1])


def test_named_weights_and_classes_that_are_not_there():
    assert class_weights(LossConfig(), ("a", "b"), clips(0)) is None
    assert weights(LossConfig(class_weights={"b": 3}), ("a", "b"), clips(0)).tolist() == [1, 3]
    with pytest.raises(UserError, match=r"loss\.class_weights: unknown class 'dgo'; did you mean 'dog'"):
        class_weights(LossConfig(class_weights={"dgo": 2}), ("dog", "cat"), clips(0))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_weighted_cross_entropy_is_torchs(smoothing):
    logits, labels = logits_and_labels()
    weight_K = torch.tensor([0.5, 1.0, 2.0, 4.0])
    ours = Loss(LossConfig(label_smoothing=smoothing), False, weight_K)(logits, F.one_hot(labels, 4).float())
    theirs = F.cross_entropy(logits, labels, weight_K, label_smoothing=smoothing, reduction="none")
    torch.testing.assert_close(ours, theirs)


def test_bce_weighs_the_clips_that_have_the_class():
    weight_K = torch.tensor([3.0, 5.0])
    loss = Loss(LossConfig(), True, weight_K)
    value = loss(torch.tensor([[0.0, 2.0]]), torch.tensor([[1.0, 0.0]]))
    by_hand = (3 * torch.log(torch.tensor(2.0)) + torch.log1p(torch.exp(torch.tensor(2.0)))) / 2
    assert float(value) == pytest.approx(float(by_hand))


def test_float64_stays_float64():
    logits, labels = logits_and_labels()
    for binary in (False, True):
        assert Loss(LossConfig(), binary)(logits.double(), F.one_hot(labels, 4).float()).dtype == torch.float64
