"""The loss by hand and against torch's own."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from audiosurvey.augment.mixing.mixing import Targets
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
    with pytest.raises(UserError, match="cross_entropy does not support several labels per clip"):
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
    weight_K = class_weights(config, classes, table, multi_label=False)
    assert weight_K is not None
    return weight_K


def test_balanced_weights_by_hand():
    """Of six clips three, two and one: 6 / (3 n) is 2/3, 1 and 2; the clips weigh 1 on average."""
    table = clips(0, 0, 0, 1, 1, 2)
    weight_K = weights(LossConfig(class_weights="balanced"), ("a", "b", "c"), table)
    assert weight_K.tolist() == pytest.approx([2 / 3, 1, 2])
    assert sum(weight_K[clip.labels[0]] for clip in table) == pytest.approx(6)


def several(*labels: tuple[int, ...]) -> list[Clip]:
    return [Clip(str(n), Path(str(n)), one) for n, one in enumerate(labels)]


def test_balanced_weights_of_several_labels_are_negatives_over_positives():
    """Of five clips, one of them of no class: four, one, none and all of them have the class."""
    table = several((0, 3), (0, 1, 3), (0, 3), (0, 3), (3,))
    weight_K = class_weights(LossConfig(class_weights="balanced"), ("a", "b", "c", "d"), table, multi_label=True)
    assert weight_K is not None
    assert weight_K.tolist() == [1 / 4, 4, 1, 1]
    # The positives of a class weigh as much as its negatives: at even chances the loss has no slope.
    loss = Loss(LossConfig(class_weights="balanced"), True, weight_K)
    logits = torch.zeros(5, 4, requires_grad=True)
    target = torch.zeros(5, 4)
    for row, clip in enumerate(table):
        target[row, list(clip.labels)] = 1
    loss(logits, target).sum().backward()
    assert logits.grad is not None
    assert logits.grad.sum(dim=0)[:2].tolist() == pytest.approx([0, 0], abs=1e-7)


def test_weights_of_classes_named_by_numbers_or_with_decomposed_accents():
    config = LossConfig.model_validate({"class_weights": {3: 2.0, "cafe\u0301": 5.0}})
    assert config.class_weights == {"3": 2.0, "caf\u00e9": 5.0}


def test_a_class_without_training_clips_weighs_one():
    weight_K = weights(LossConfig(class_weights="balanced"), ("a", "b", "c"), clips(0, 0, 1))
    assert weight_K.tolist() == pytest.approx([0.5, 1, 1])


def test_named_weights_and_classes_that_are_not_there():
    assert class_weights(LossConfig(), ("a", "b"), clips(0), multi_label=False) is None
    assert weights(LossConfig(class_weights={"b": 3}), ("a", "b"), clips(0)).tolist() == [1, 3]
    with pytest.raises(UserError, match=r"loss\.class_weights: unknown class 'dgo'; did you mean 'dog'"):
        class_weights(LossConfig(class_weights={"dgo": 2}), ("dog", "cat"), clips(0), multi_label=False)


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


def eats(logits: torch.Tensor, labels: torch.Tensor, others: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """EAT's loss of mixed clips, clip by clip and class by class, summed."""
    total = torch.zeros(())
    for logit_K, label, other, weight in zip(logits, labels, others, weights, strict=True):
        told = {int(label), int(other)} if weight < 0.9 else {int(label)}
        for number, logit in enumerate(logit_K):
            total = total - (F.logsigmoid(logit) if number in told else F.logsigmoid(-logit))
    return total


def mixed_targets() -> tuple[Targets, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Six clips of four classes: unmixed, then five mixtures: two with 0.9 or more, one with its own class."""
    labels, others = torch.tensor([0, 1, 2, 3, 0, 1]), torch.tensor([0, 2, 3, 0, 0, 3])
    weights = torch.tensor([1.0, 0.1, 0.9, 0.89, 0.4, 0.95])
    targets = Targets.unmixed(F.one_hot(labels, 4).float())
    return targets.mixed(torch.arange(1, 6), F.one_hot(others[1:], 4).float(), weights[1:]), labels, others, weights


def test_union_targets_by_hand():
    targets, *_ = mixed_targets()
    expected = [[1, 0, 0, 0], [0, 1, 1, 0], [0, 0, 1, 0], [1, 0, 0, 1], [1, 0, 0, 0], [0, 1, 0, 0]]
    assert targets.union_BK(0.9).tolist() == expected
    assert targets.mixed_B.tolist() == [False, True, True, True, True, True]
    torch.testing.assert_close(targets.weighted_BK[1], torch.tensor([0, 0.1, 0.9, 0]))
    torch.testing.assert_close(targets.weighted_BK[0], torch.tensor([1.0, 0, 0, 0]))


def test_union_is_eats_sum_where_the_step_takes_the_mean():
    logits, _ = logits_and_labels()
    targets, labels, others, weights = mixed_targets()
    loss_B = Loss(LossConfig(mixed="union", label_smoothing=0.1), multi_label=False).of(logits, targets)
    torch.testing.assert_close(loss_B[1:].sum(), eats(logits[1:], labels[1:], others[1:], weights[1:]))
    smoothed = F.cross_entropy(logits[:1], labels[:1], label_smoothing=0.1)
    torch.testing.assert_close(loss_B[0], smoothed)


def test_the_loss_of_a_clip_is_the_same_in_any_batch():
    logits, _ = logits_and_labels()
    targets, *_ = mixed_targets()
    loss = Loss(LossConfig(mixed="union", label_smoothing=0.1), multi_label=False)
    together_B = loss.of(logits, targets)
    for row in range(6):
        alone = Targets(
            targets.own_BK[[row]], targets.partner_BK[[row]], targets.weight_B[[row]], targets.mixed_B[[row]]
        )
        torch.testing.assert_close(loss.of(logits[[row]], alone)[0], together_B[row])


def test_weighted_is_what_it_was():
    logits, _ = logits_and_labels()
    targets, *_ = mixed_targets()
    loss = Loss(LossConfig(label_smoothing=0.1), multi_label=False)
    assert torch.equal(loss.of(logits, targets), loss(logits, targets.weighted_BK))


def test_union_of_several_labels_keeps_the_scale_of_bce():
    own, other = torch.tensor([[1.0, 1, 0, 0]]), torch.tensor([[0.0, 1, 0, 1]])
    logits = torch.tensor([[0.3, -0.2, 1.0, 2.0]])
    loss = Loss(LossConfig(mixed="union"), multi_label=True)
    expected = F.binary_cross_entropy_with_logits(logits, torch.tensor([[1.0, 1, 0, 1]]))
    torch.testing.assert_close(
        loss.of(logits, Targets.unmixed(own).mixed(torch.tensor([0]), other, torch.tensor([0.6])))[0], expected
    )


def test_eats_smoothing_over_the_wrong_classes_is_ours_times_k_over_k_minus_1():
    logits, labels = logits_and_labels()
    share, classes = 0.1, 4
    wrong = torch.full((6, classes), share / (classes - 1)).scatter_(1, labels[:, None], 1 - share)
    eat_B = -(wrong * F.log_softmax(logits, 1)).sum(1)
    ours = Loss(LossConfig(label_smoothing=share * classes / (classes - 1)), multi_label=False)
    torch.testing.assert_close(ours(logits, F.one_hot(labels, classes).float()), eat_B)
