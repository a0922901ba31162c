"""One step by hand: what is averaged, what is clipped, what is drawn, and what stops it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from audiosurvey.augment.chain import Chain
from audiosurvey.augment.settings import MEL_MIXINGS, WAVE_MIXINGS, AugmentationConfig
from audiosurvey.augment.wave.shorten import ShortenConfig
from audiosurvey.data.batches.batches import Batch
from audiosurvey.data.table import Clip
from audiosurvey.errors import UserError
from audiosurvey.model.grammar import ModelConfig
from audiosurvey.model.network import build_network
from audiosurvey.training.accelerator import make_accelerator
from audiosurvey.training.loss import Loss, LossConfig
from audiosurvey.training.settings import TrainConfig
from audiosurvey.training.step import TrainStep, read_results

PLAIN = AugmentationConfig(shorten=ShortenConfig(p=0))

SAMPLES, CLASSES = 12, 3


class Reshape(nn.Module):
    """In place of the front end: waves (B, S) as maps (B, 1, 4, 3)."""

    def forward(self, wave_BS: torch.Tensor) -> torch.Tensor:
        return wave_BS.reshape(-1, 1, 4, SAMPLES // 4)


CHAIN = Chain(PLAIN, seed=0, sample_rate=8000, train_clips=(), front_end=Reshape())


def network(*between: nn.Module) -> nn.Sequential:
    """No batch-norm and no dropout, unless they are put `between`."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(SAMPLES, 6), nn.Tanh(), *between, nn.Linear(6, CLASSES))


def batch(first: int, count: int) -> Batch:
    """Clips `first` to `first + count`, always the same sound for the same number."""
    waves = [torch.randn(SAMPLES, generator=torch.Generator().manual_seed(n)) for n in range(first, first + count)]
    labels = [n % CLASSES for n in range(first, first + count)]
    clips = tuple(Clip(f"clip-{n}", Path(f"clip-{n}"), (n % CLASSES,)) for n in range(first, first + count))
    target_BK = nn.functional.one_hot(torch.tensor(labels), CLASSES).float()
    draws = CHAIN.draw(clips, 1, samples=SAMPLES, valid_of=lambda clip: SAMPLES)
    return Batch(clips, torch.stack(waves), torch.full((count,), SAMPLES), target_BK, draws)


def trained(net: nn.Module, lr: float = 1.0, accelerator: Accelerator | None = None, **settings: Any) -> TrainStep:
    """A step with plain gradient descent, whose change of the weights is minus the gradient."""
    return TrainStep(
        accelerator=accelerator or make_accelerator("cpu", "fp32"),
        network=net,
        chain=CHAIN,
        loss=Loss(LossConfig(), multi_label=False),
        optimizer=torch.optim.SGD(net.parameters(), lr=lr),
        settings=TrainConfig(**settings),
        stream=(0, "train", 1),
    )


def weights(net: nn.Module) -> torch.Tensor:
    return torch.cat([value.detach().flatten() for value in net.parameters()]).clone()


def change(*groups: list[Batch], between: Callable[[], nn.Module] | None = None, **settings: Any) -> torch.Tensor:
    """What one step after another does to fresh weights."""
    net = network(*([between()] if between else []))
    step, before = trained(net, **settings), weights(net)
    for number, group in enumerate(groups):
        step(group, epoch=1, step=number, lr=1.0)
    return weights(net) - before


def gradient(*batches: Batch) -> torch.Tensor:
    """Of the mean cross-entropy over all clips, by torch's own."""
    net = network()
    waves, targets = (torch.cat([getattr(b, name) for b in batches]) for name in ("wave_BS", "target_BK"))
    nn.functional.cross_entropy(net(waves), targets).backward()
    return torch.cat([value.grad.flatten() for value in net.parameters() if value.grad is not None])


def test_two_batches_of_four_are_one_of_eight():
    torch.testing.assert_close(change([batch(0, 4), batch(4, 4)]), change([batch(0, 8)]), rtol=0, atol=1e-6)
    torch.testing.assert_close(change([batch(0, 8)]), -gradient(batch(0, 8)), rtol=0, atol=1e-6)


def test_every_clip_of_a_short_group_weighs_the_same():
    torch.testing.assert_close(change([batch(0, 4), batch(4, 1)]), change([batch(0, 5)]), rtol=0, atol=1e-6)


def test_scores_are_the_mean_over_the_clips_of_the_group():
    net = network()
    (seen,) = read_results([trained(net)([batch(0, 4), batch(4, 1)], epoch=1, step=0, lr=0.0)])
    whole = batch(0, 5)
    logits = net(whole.wave_BS).detach()
    assert seen.clips == 5
    assert seen.loss == pytest.approx(float(nn.functional.cross_entropy(logits, whole.target_BK)), abs=1e-6)
    assert seen.accuracy == pytest.approx(float((logits.argmax(1) == whole.target_BK.argmax(1)).float().mean()))


def test_clipping_first_the_norm_then_the_elements():
    raw = gradient(batch(0, 6))
    norm, value = float(raw.norm()) / 2, 0.02
    scaled = raw / 2
    assert (scaled.abs() > value).any()
    assert (scaled.abs() < value).any()
    both = change([batch(0, 6)], grad_clip_norm=norm, grad_clip_value=value)
    torch.testing.assert_close(both, -scaled.clamp(-value, value), rtol=0, atol=1e-5)
    torch.testing.assert_close(change([batch(0, 6)], grad_clip_norm=norm), -scaled, rtol=0, atol=1e-5)
    only_value = change([batch(0, 6)], grad_clip_value=value)
    torch.testing.assert_close(only_value, -raw.clamp(-value, value), rtol=0, atol=1e-6)


def test_elements_are_clipped_after_the_scaler_of_fp16_has_had_its_turn():
    net = network()
    step = trained(net, grad_clip_value=1e-3)
    accelerator = step.accelerator
    accelerator.state._mixed_precision, accelerator.native_amp = "fp16", True
    accelerator.scaler = torch.amp.GradScaler("cpu")
    step.optimizer = AcceleratedOptimizer(step.optimizer.optimizer, device_placement=False, scaler=accelerator.scaler)
    accelerator._optimizers = [step.optimizer]
    before = weights(net).clone()
    step([batch(0, 4)], epoch=1, step=0, lr=1.0)
    moved = (weights(net) - before).abs().max()
    torch.testing.assert_close(moved, torch.tensor(1e-3), rtol=0, atol=1e-6)


def test_each_training_begins_with_a_loss_scale_of_its_own():
    """Of the same accelerator, as the forecast and the folds of a run have it."""
    accelerator = make_accelerator("cpu", "fp32")
    accelerator.scaler = torch.amp.GradScaler("cpu")
    fresh = accelerator.scaler.state_dict()
    first = trained(network(), accelerator=accelerator)
    first([batch(0, 4)], epoch=1, step=0, lr=0.1)
    assert accelerator.scaler.state_dict() != fresh
    second = trained(network(), accelerator=accelerator)
    assert accelerator.scaler.state_dict() == fresh
    assert second.optimizer.scaler is accelerator.scaler


def test_zero_switches_clipping_off_and_a_wide_bound_does_nothing():
    raw = change([batch(0, 6)], grad_clip_norm=0, grad_clip_value=0)
    torch.testing.assert_close(raw, -gradient(batch(0, 6)), rtol=0, atol=1e-6)
    assert torch.equal(raw, change([batch(0, 6)], grad_clip_norm=1e6, grad_clip_value=1e6))


def test_clipping_sees_the_group_not_its_batches():
    norm = float(gradient(batch(0, 8)).norm()) / 3
    parts = change([batch(0, 4), batch(4, 4)], grad_clip_norm=norm)
    torch.testing.assert_close(parts, -gradient(batch(0, 8)) / 3, rtol=0, atol=1e-5)


def test_checkpointing_gives_the_same_loss_gradients_and_statistics():
    config = ModelConfig.model_validate(
        {"blocks": [{"conv_block": {"channels": 4, "layers": 2}}, {"dropout": 0.5}, {"pooling": {"mode": "avg"}}]}
    )
    outcomes = []
    for use_checkpoint in (False, True):
        net = build_network(config, input_shape=(1, 4, 3), classes=CLASSES, seed=0, standardize="batch_norm")
        net.use_checkpoint = use_checkpoint
        net.train()
        (seen,) = read_results([trained(net)([batch(0, 4), batch(4, 3)], epoch=1, step=0, lr=1.0)])
        outcomes.append((seen.loss, net.state_dict()))
    (plain_loss, plain), (loss, saved) = outcomes
    assert loss == plain_loss
    for name, value in plain.items():
        torch.testing.assert_close(saved[name], value, rtol=0, atol=1e-7, msg=name)


def test_a_loss_that_is_not_finite_names_epoch_step_and_clips():
    net, bad = network(), batch(4, 3)
    bad.wave_BS[1, 0] = float("nan")
    step, before = trained(net, accum_iter=2), weights(net)
    result = step([batch(0, 4), bad], epoch=7, step=12, lr=1.0)
    assert torch.equal(weights(net), before)
    later = step([batch(0, 4)], epoch=7, step=13, lr=1.0)
    with pytest.raises(UserError, match=r"train: epoch 7, step 12: the loss is nan.*clip-0.*clip-5") as error:
        read_results([result, later])
    assert len(error.value.lines) == 1


class Kink(nn.Module):
    """The square root of a weight that is 0: a finite value with a gradient that is not."""

    def __init__(self) -> None:
        super().__init__()
        self.zero = nn.Parameter(torch.zeros(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.zero.sqrt()


@pytest.mark.parametrize("norm", [0.0, 1.0])
def test_a_gradient_that_is_not_finite_stops_before_the_weights_change(norm):
    net = network(Kink())
    step, before = trained(net, grad_clip_norm=norm), weights(net)
    result = step([batch(0, 4)], epoch=1, step=3, lr=1.0)
    assert torch.equal(weights(net), before)
    with pytest.raises(UserError, match="epoch 1, step 3: the gradient's norm is"):
        read_results([result])


def test_dropout_follows_from_seed_fold_epoch_and_step_alone():
    def loss(step: int, epoch: int = 1, disturb: int = 0) -> float:
        torch.rand(disturb)
        result = trained(network(nn.Dropout(0.5)))([batch(0, 8)], epoch=epoch, step=step, lr=0.0)
        return read_results([result])[0].loss

    assert loss(3) == loss(3, disturb=5)
    assert len({loss(3), loss(4), loss(3, epoch=2)}) == 3


def test_the_global_generator_is_left_as_it_was():
    before = torch.get_rng_state()
    trained(network(nn.Dropout(0.5)))([batch(0, 8)], epoch=1, step=0, lr=0.1)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_learning_rate_is_that_of_the_call():
    net = network()
    step, before = trained(net, lr=123.0), weights(net)
    step([batch(0, 8)], epoch=1, step=0, lr=0.5)
    torch.testing.assert_close(weights(net) - before, -0.5 * gradient(batch(0, 8)), rtol=0, atol=1e-6)


def test_a_groups_rate_is_a_factor_on_the_learning_rate():
    net = network()
    step, before = trained(net), weights(net)
    step.optimizer.param_groups[0]["rate"] = 0.25
    step([batch(0, 8)], epoch=1, step=0, lr=0.5)
    torch.testing.assert_close(weights(net) - before, -0.125 * gradient(batch(0, 8)), rtol=0, atol=1e-6)


@pytest.mark.parametrize(("kind", "key"), [(torch.optim.AdamW, "betas"), (torch.optim.SGD, "momentum")])
def test_the_momentum_is_that_of_the_call_and_stays_without_one(kind: type[torch.optim.Optimizer], key: str) -> None:
    net = network()
    step = trained(net)
    step.optimizer = kind(net.parameters(), lr=0.1)  # pyright: ignore[reportCallIssue]
    step([batch(0, 4)], epoch=1, step=0, lr=0.0, momentum=0.3)
    assert step.optimizer.param_groups[0][key] == ((0.3, 0.999) if key == "betas" else 0.3)
    step([batch(0, 4)], epoch=1, step=1, lr=0.0)
    assert step.optimizer.param_groups[0][key] == ((0.3, 0.999) if key == "betas" else 0.3)


class NothingIsRead(TorchDispatchMode):
    """Raises where a number is read from a tensor: on a GPU that would wait for all that is queued."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default):
            raise AssertionError(f"{func} in a step")
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("mixing", [None, *WAVE_MIXINGS, *MEL_MIXINGS])
@pytest.mark.parametrize("settings", [{}, {"grad_clip_norm": 1.0, "grad_clip_value": 0.1, "accum_iter": 2}])
def test_no_step_waits_for_the_device(
    on_tones: Callable[..., Any], rooms: Path, mixing: str | None, settings: dict[str, Any]
) -> None:
    """With nothing to augment, and under all augmentations with each mixing. Optimizers as they are built."""
    names = [name for name, part in AugmentationConfig() if hasattr(part, "p")]
    chances = {name: 0.0 if mixing is None or name in WAVE_MIXINGS + MEL_MIXINGS else 0.5 for name in names}
    if mixing:
        chances[mixing] = 0.8
    keys = [f"augmentation.{name}.p={p}" for name, p in chances.items()]
    keys += [f"train.{name}={value}" for name, value in settings.items()]
    keys += [f"augmentation.{name}.folder={rooms.as_posix()}" for name in ("reverb", "background")]
    stage = on_tones("tiny", *keys, "train.batch_size=8")
    step = stage.step(stage.build().train())
    batches = list(stage.batches.epoch(1))
    size = settings.get("accum_iter", 1)
    # The first step fills tables and looks at the statistics that the network came with.
    step(batches[:size], epoch=1, step=0, lr=0.1)
    with NothingIsRead():
        result = step(batches[size : 2 * size], epoch=1, step=1, lr=0.1)
    (scores,) = read_results([result])
    assert scores.loss > 0
