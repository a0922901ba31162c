"""The loop, with a network of one number: when it ends, what it keeps, and that it goes on where it stopped."""

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from audiosurvey.data.batches.batches import Batch
from audiosurvey.errors import UserError
from audiosurvey.model.blocks.drop import DropBlock2d
from audiosurvey.training.accelerator import make_accelerator
from audiosurvey.training.loop import READ_EVERY, CheckpointSchedule, Evaluation, StopHook, Trainer
from audiosurvey.training.schedule import ScheduleConfig
from audiosurvey.training.settings import TrainConfig
from audiosurvey.training.step import StepResult


class Counter(nn.Module):
    """A network whose one weight is the number of steps taken."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = nn.Parameter(torch.zeros(()))


class Stepping:
    """In place of the training step."""

    def __init__(self, network: Counter) -> None:
        self.network, self.accelerator = network, make_accelerator("cpu", "fp32")
        self.optimizer = torch.optim.SGD(network.parameters(), lr=1.0)
        self.seen: list[tuple[int, int, float, int]] = []
        self.shares: list[float] = []
        self.counted: list[int] = []
        self.norm = 1.0
        self.killed_at: int | None = None
        self.momenta: list[float | None] = []

    def __call__(
        self, group: Sequence[Batch], *, epoch: int, step: int, lr: float, momentum: float | None = None
    ) -> StepResult:
        if step == self.killed_at:
            raise Killed
        self.network.steps.data += 1
        self.shares += [module.share for module in self.network.modules() if isinstance(module, DropBlock2d)]
        self.momenta.append(momentum)
        self.seen.append((epoch, step, lr, len(group)))
        clips = sum(len(batch.clips) for batch in group)
        totals_3 = torch.tensor([float(step) * clips, clips, self.norm], dtype=torch.float64)
        return StepResult("train", epoch, step, ("clip",), clips, totals_3)

    def count_statistics(self, average: nn.Module, like: nn.Module, batches: Iterator[Any]) -> None:
        self.counted.append(len(list(batches)))


class Batches:
    """Batches of four clips, the last one of a single clip."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __len__(self) -> int:
        return self.number

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Any]:
        sizes = [4] * (self.number - 1) + [1]
        yield from (SimpleNamespace(clips=[None] * size) for size in sizes[first:])


class Scores:
    """An evaluator with the score of each epoch from a list; remembers what it was asked. None evaluates nothing."""

    def __init__(self, scores: Sequence[float | None]) -> None:
        self.scores, self.asked = scores, list[tuple[int, bool]]()

    def __call__(self, network: Callable[[], nn.Module], epoch: int, last: bool) -> Evaluation:
        self.asked.append((epoch, last))
        score = self.scores[epoch - 1]
        if score is not None:
            network()
        return Evaluation(
            {"val_accuracy": score} | ({"test_accuracy": 0.5} if last else {}), None if score is None else (score,)
        )


class Killed(Exception):
    pass


class Records:
    """A listener that keeps the records; training is killed in the epoch after `killed_after`, or at an epoch's end
    before its checkpoint is written."""

    def __init__(self, killed_after: int | None = None, killed_at_the_end_of: int | None = None) -> None:
        self.killed_after, self.killed_at_the_end_of = killed_after, killed_at_the_end_of
        self.records = list[dict[str, Any]]()

    def on_step(self, epoch: int, step: int, steps_per_epoch: int, loss: float) -> None:
        if epoch - 1 == self.killed_after:
            raise Killed

    def on_epoch(self, record: dict[str, Any]) -> None:
        self.records.append(record)
        if record["epoch"] == self.killed_at_the_end_of:
            raise Killed


def trainer(
    scores: Sequence[float | None],
    folder: Path | None = None,
    batches: int = 1,
    listener: Records | None = None,
    ema: float = 0.0,
    swa: float | None = None,
    history: Sequence[dict[str, Any]] = (),
    stop_hooks: Sequence[StopHook] = (),
    checkpoints: CheckpointSchedule = CheckpointSchedule(),
    **settings: Any,
) -> tuple[Trainer, Stepping, Scores]:
    network = Counter()
    step, evaluator = Stepping(network), Scores(scores)
    made = Trainer(
        network=network,
        step=step,  # pyright: ignore[reportArgumentType]
        batches=Batches(batches),  # pyright: ignore[reportArgumentType]
        settings=TrainConfig(lr=1.0, **settings),
        schedule=ScheduleConfig(name="constant"),
        ema_decay=ema,
        swa_start=swa,
        evaluator=evaluator,
        folder=folder,
        listener=listener or Records(),
        history=history,
        stop_hooks=stop_hooks,
        checkpoints=checkpoints,
    )
    return made, step, evaluator


def steps_of(network: nn.Module) -> float:
    return float(network.state_dict()["steps"])


def test_a_fixed_number_of_epochs_keeps_the_last_weights():
    made, _, evaluator = trainer([None] * 3, epochs=3)
    assert steps_of(made.run()) == 3
    assert evaluator.asked == [(1, False), (2, False), (3, True)]
    assert made.state.done


@pytest.mark.parametrize(
    ("scores", "ends", "best"),
    [
        ([0.1, 0.5, 0.4, 0.3], 4, 2),
        ([0.5, 0.4, 0.6, 0.5, 0.5], 5, 3),
        # An equal score is no improvement: the earlier epoch stays.
        ([0.5, 0.5, 0.5], 3, 1),
        ([0.1, 0.2, 0.3, 0.4, 0.4, 0.4], 6, 4),
    ],
)
def test_patience_ends_it_and_the_best_epoch_is_kept(scores, ends, best):
    made, _, evaluator = trainer([*scores, 9.9], epochs=0, patience=2)
    assert steps_of(made.run()) == best
    assert (made.state.epoch, made.state.best_epoch) == (ends, best)
    # The last epoch is looked at a second time, now as the last one.
    assert evaluator.asked[-2:] == [(ends, False), (ends, True)]
    assert made.history[-1]["test_accuracy"] == 0.5
    assert "test_accuracy" not in made.history[-2]


def test_epochs_are_the_upper_bound_of_patience():
    made, _, evaluator = trainer([0.1, 0.2, 0.3], epochs=3, patience=2)
    assert steps_of(made.run()) == 3
    assert evaluator.asked == [(1, False), (2, False), (3, True)]


def test_ties_go_by_the_second_number():
    made, _, _ = trainer([0.0] * 4, epochs=4)
    scores = iter([(0.5, -2.0), (0.5, -1.0), (0.5, -1.5), (0.4, 0.0)])
    made.evaluator = lambda network, epoch, last: Evaluation({}, next(scores))
    assert steps_of(made.run()) == 2


def test_groups_and_the_record_of_an_epoch():
    listener = Records()
    made, step, _ = trainer([None, None], batches=5, listener=listener, epochs=2, accum_iter=2)
    made.run()
    assert step.seen == [(1, 0, 1.0, 2), (1, 1, 1.0, 2), (1, 2, 1.0, 1), (2, 3, 1.0, 2), (2, 4, 1.0, 2), (2, 5, 1.0, 1)]
    first = listener.records[0]
    # Losses 0, 1, 2 of groups with 8, 8 and 1 clips.
    assert first["train_loss"] == pytest.approx((0 * 8 + 1 * 8 + 2 * 1) / 17)
    assert [first[name] for name in ("epoch", "step", "lr", "train_accuracy")] == [1, 3, 1.0, 1.0]
    assert made.steps_per_epoch == 3
    assert made.total_steps == 6


@pytest.mark.parametrize(("settings", "seen"), [({"epochs": 2}, [0, 1 / 3, 2 / 3, 1]), ({"patience": 1}, [1] * 4)])
def test_progress_goes_from_0_to_1_over_the_steps(settings, seen):
    """Of two epochs of two steps; where patience ends training it is 1 throughout."""
    made, step, _ = trainer([0.5, 0.5], batches=2, **settings)
    made.network.add_module("drop", DropBlock2d(1.0, 0.5, 2, 2, rises=True))
    made.run()
    assert [share / 0.5 for share in step.shares] == pytest.approx(seen)


def test_the_average_is_what_is_looked_at_and_kept():
    made, _, _ = trainer([None] * 2, epochs=2, ema=0.5)
    network = made.run()
    # The decay rises as (1 + t) / (10 + t): of the steps t = 0 and 1, 0.1 and 2/11 are kept of the average.
    first = 0.9 * 1
    assert steps_of(network) == pytest.approx(2 / 11 * first + 9 / 11 * 2)


def test_the_even_average_of_the_last_steps():
    made, step, _ = trainer([None] * 4, batches=2, epochs=4, swa=0.6)
    # 0.6 of 8 steps is 4.8: from step 4 on, whose weights are 5, to the last, whose weights are 8.
    assert steps_of(made.run()) == pytest.approx((5 + 6 + 7 + 8) / 4)
    # Counted over the two batches at the end alone, as nothing is evaluated before.
    assert step.counted == [2]


def test_the_statistics_of_an_even_average_are_counted_once_for_each_evaluation():
    made, step, _ = trainer([None, None, 0.5, 0.4], batches=2, epochs=4, swa=0.6)
    assert steps_of(made.run()) == pytest.approx((5 + 6) / 2)
    assert step.counted == [2, 2]


@pytest.mark.parametrize("killed_after", [1, 2, 3, 4])
def test_a_broken_even_average_ends_as_an_unbroken_one(tmp_path, killed_after):
    settings = {"batches": 3, "epochs": 5, "swa": 0.4}
    wanted = trainer([None] * 5, tmp_path / "whole", **settings)[0].run()
    broken, _, _ = trainer([None] * 5, tmp_path / "broken", listener=Records(killed_after), **settings)
    with pytest.raises(Killed):
        broken.run()
    again, _, _ = trainer([None] * 5, tmp_path / "broken", **settings)
    assert steps_of(again.run(resume=True)) == steps_of(wanted)


@pytest.mark.parametrize("ema", [0.0, 0.9])
@pytest.mark.parametrize("killed_after", [1, 2, 3])
def test_a_broken_stage_ends_as_an_unbroken_one(tmp_path, killed_after, ema):
    scores, settings = [0.1, 0.5, 0.4, 0.3], {"epochs": 0, "patience": 2, "ema": ema}
    whole, _, _ = trainer(scores, tmp_path / "whole", **settings)
    wanted = whole.run()
    broken, _, _ = trainer(scores, tmp_path / "broken", listener=Records(killed_after), **settings)
    with pytest.raises(Killed):
        broken.run()
    again, step, _ = trainer(scores, tmp_path / "broken", history=broken.history, **settings)
    network = again.run(resume=True)
    assert len(step.seen) == 4 - killed_after
    assert steps_of(network) == steps_of(wanted)
    unlike = {"seconds"}
    assert [{k: v for k, v in record.items() if k not in unlike} for record in again.history] == [
        {k: v for k, v in record.items() if k not in unlike} for record in whole.history
    ]


def test_only_the_best_epoch_is_on_disk(tmp_path):
    made, _, _ = trainer([0.1, 0.5, 0.4, 0.6, 0.2], tmp_path, epochs=5)
    made.run()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best-00004.safetensors", "state.safetensors"]


def test_a_kill_between_best_and_state_goes_back_to_the_former_best(tmp_path, monkeypatch):
    def killed(*_: object) -> None:
        raise Killed

    scores = [0.1, 0.5, 0.9, 0.2]
    made, _, _ = trainer(scores, tmp_path, epochs=4, listener=Records(killed_after=2))
    with pytest.raises(Killed):
        made.run()
    made, _, _ = trainer(scores, tmp_path, epochs=4)
    with monkeypatch.context() as patch:
        patch.setattr("audiosurvey.training.loop.save_state", killed)
        with pytest.raises(Killed):
            made.run(resume=True)
    assert (tmp_path / "best-00003.safetensors").exists()
    made, step, _ = trainer(scores, tmp_path, epochs=4)
    assert steps_of(made.run(resume=True)) == 3
    assert [epoch for epoch, *_ in step.seen] == [3, 4]


@pytest.mark.parametrize("missing", [True, False])
def test_a_lost_best_is_one_line_with_the_mend(tmp_path, missing):
    folder = tmp_path / "checkpoint"
    trainer([0.5, 0.1], folder, epochs=2)[0].run()
    best = folder / "best-00001.safetensors"
    best.unlink() if missing else best.write_bytes(best.read_bytes()[:20])
    with pytest.raises(UserError, match=r"best-00001\.safetensors: .*remove the folder .*checkpoint, and") as error:
        trainer([0.5, 0.1], folder, epochs=2)[0].run(resume=True)
    assert len(error.value.lines) == 1


def test_without_resume_it_starts_anew(tmp_path):
    trainer([None] * 2, tmp_path, epochs=2)[0].run()
    made, step, _ = trainer([None] * 2, tmp_path, epochs=2)
    made.run()
    assert len(step.seen) == 2


def test_a_cycled_momentum_falls_while_the_rate_rises_and_comes_back():
    made, step, _ = trainer([None] * 4, epochs=4)
    made.run()
    assert step.momenta == [None] * 4
    made, step, _ = trainer([None] * 5, epochs=5)
    made.schedule = ScheduleConfig(name="one_cycle", warmup=0.6, momentum_low=0.5)
    made.momentum = 0.9
    made.run()
    assert step.momenta == pytest.approx([0.9, 0.7, 0.5, 0.7, 0.9])


def without_seconds(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in record.items() if name != "seconds"} for record in records]


def test_a_kill_between_the_record_of_an_epoch_and_its_checkpoint(tmp_path):
    """The record is written, the checkpoint is of the epoch before: the epoch is trained and recorded again."""
    scores = [0.1, 0.5, 0.4, 0.3]
    whole = trainer(scores, epochs=4)[0]
    wanted = whole.run()
    broken, _, _ = trainer(scores, tmp_path, epochs=4, listener=Records(killed_at_the_end_of=3))
    with pytest.raises(Killed):
        broken.run()
    assert [record["epoch"] for record in broken.history] == [1, 2, 3]
    again, step, _ = trainer(scores, tmp_path, epochs=4, history=broken.history)
    assert steps_of(again.run(resume=True)) == steps_of(wanted)
    assert [epoch for epoch, *_ in step.seen] == [3, 4]
    assert without_seconds(again.history) == without_seconds(whole.history)


def test_a_stop_hook_ends_training_with_a_last_evaluation():
    seen: list[tuple[int, float, int]] = []

    def hook(record: dict[str, Any], state: Any) -> bool:
        seen.append((record["epoch"], record["val_accuracy"], state.best_epoch))
        return record["epoch"] == 2

    made, _, evaluator = trainer([0.5, 0.4, 0.6], epochs=3, stop_hooks=[hook])
    assert steps_of(made.run()) == 1
    assert made.state.done
    assert seen == [(1, 0.5, 1), (2, 0.4, 1)]
    assert evaluator.asked == [(1, False), (2, False), (2, True)]
    assert made.history[-1]["test_accuracy"] == 0.5


def test_checkpoints_after_several_epochs_and_at_the_end(tmp_path):
    schedule, settings = CheckpointSchedule(epochs=2), {"epochs": 5}
    made, _, _ = trainer([None] * 5, tmp_path, checkpoints=schedule, listener=Records(killed_after=3), **settings)
    with pytest.raises(Killed):
        made.run()
    again, step, _ = trainer([None] * 5, tmp_path, checkpoints=schedule, history=made.history, **settings)
    assert steps_of(again.run(resume=True)) == 5
    assert [epoch for epoch, *_ in step.seen] == [3, 4, 5]
    assert [record["epoch"] for record in again.history] == [1, 2, 3, 4, 5]
    done, step, _ = trainer([None] * 5, tmp_path, **settings)
    assert steps_of(done.run(resume=True)) == 5
    assert step.seen == []


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_a_checkpoint_within_an_epoch(tmp_path, ema):
    """After four of five groups of two batches, the last of one, the fifth alone is taken again."""
    settings = {"batches": 9, "epochs": 2, "accum_iter": 2, "ema": ema}
    whole, all_steps, _ = trainer([None] * 2, **settings)
    wanted = whole.run()
    made, made_steps, _ = trainer([None] * 2, tmp_path, checkpoints=CheckpointSchedule(steps=2), **settings)
    made_steps.killed_at = 4
    with pytest.raises(Killed):
        made.run()
    again, step, _ = trainer([None] * 2, tmp_path, **settings)
    assert steps_of(again.run(resume=True)) == steps_of(wanted)
    assert step.seen == all_steps.seen[4:]
    assert without_seconds(again.history) == without_seconds(whole.history)


def test_a_step_that_is_not_finite_ends_training_and_nothing_of_it_is_kept(tmp_path):
    made, steps, _ = trainer([None] * 3, tmp_path, batches=40, epochs=3)
    steps.killed_at = 40
    with pytest.raises(Killed):
        made.run()
    kept = (tmp_path / "state.safetensors").read_bytes()
    again, step, _ = trainer([None] * 3, tmp_path, batches=40, epochs=3)
    step.norm = math.nan
    with pytest.raises(UserError, match=r"train: epoch 2, step 40: the gradient's norm is nan.*Clips of the"):
        again.run(resume=True)
    assert len(step.seen) <= READ_EVERY
    assert (tmp_path / "state.safetensors").read_bytes() == kept
