"""The loop, with a network of one number: when it ends, what it keeps, and that it goes on where it stopped."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from audiosurvey.data.batches.batches import Batch
from audiosurvey.errors import UserError
from audiosurvey.model.blocks.drop import DropBlock2d
from audiosurvey.training.devices import make_accelerator
from audiosurvey.training.loop import Fit, Look
from audiosurvey.training.schedule import ScheduleConfig
from audiosurvey.training.settings import TrainConfig
from audiosurvey.training.step import Progress


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
        self.counted: list[tuple[int, int]] = []
        self.momenta: list[float | None] = []

    def __call__(
        self, group: Sequence[Batch], *, epoch: int, step: int, lr: float, momentum: float | None = None
    ) -> Progress:
        self.network.steps.data += 1
        self.shares += [module.share for module in self.network.modules() if isinstance(module, DropBlock2d)]
        self.momenta.append(momentum)
        self.seen.append((epoch, step, lr, len(group)))
        clips = sum(len(batch.clips) for batch in group)
        return Progress(loss=float(step), accuracy=1.0, clips=clips)

    def count_statistics(self, average: nn.Module, like: nn.Module, batches: Iterator[Any], epoch: int) -> None:
        self.counted.append((epoch, len(list(batches))))


class Batches:
    """Batches of four clips, the last one of a single clip."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __len__(self) -> int:
        return self.number

    def epoch(self, epoch: int) -> Iterator[Any]:
        yield from (SimpleNamespace(clips=[None] * (4 if n < self.number - 1 else 1)) for n in range(self.number))


class Watching:
    """Says each epoch's score off a list and remembers what it was asked."""

    def __init__(self, scores: Sequence[float | None]) -> None:
        self.scores, self.asked = scores, list[tuple[int, bool]]()

    def __call__(self, network: nn.Module, epoch: int, last: bool) -> Look:
        self.asked.append((epoch, last))
        score = self.scores[epoch - 1]
        return Look(
            {"val_accuracy": score} | ({"test_accuracy": 0.5} if last else {}), None if score is None else (score,)
        )


class Killed(Exception):
    pass


class Hearing:
    def __init__(self, killed_after: int | None = None) -> None:
        self.killed_after, self.records = killed_after, list[dict[str, Any]]()

    def on_step(self, epoch: int, step: int, steps_per_epoch: int, loss: float) -> None: ...

    def on_epoch(self, record: dict[str, Any]) -> None:
        self.records.append(record)
        if record["epoch"] == self.killed_after:
            raise Killed


def fit(
    scores: Sequence[float | None],
    folder: Path | None = None,
    batches: int = 1,
    hearing: Hearing | None = None,
    ema: float = 0.0,
    swa: float | None = None,
    **settings: Any,
) -> tuple[Fit, Stepping, Watching]:
    network = Counter()
    step, watch = Stepping(network), Watching(scores)
    made = Fit(
        network=network,
        step=step,  # pyright: ignore[reportArgumentType]
        batches=Batches(batches),  # pyright: ignore[reportArgumentType]
        settings=TrainConfig(lr=1.0, **settings),
        schedule=ScheduleConfig(name="constant"),
        ema_decay=ema,
        swa_start=swa,
        watch=watch,
        folder=folder,
        listener=hearing or Hearing(),
    )
    return made, step, watch


def steps_of(network: nn.Module) -> float:
    return float(network.state_dict()["steps"])


def test_a_fixed_number_of_epochs_keeps_the_last_weights():
    made, _, watch = fit([None] * 3, epochs=3)
    assert steps_of(made.run()) == 3
    assert watch.asked == [(1, False), (2, False), (3, True)]
    assert made.journal.done


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
    made, _, watch = fit([*scores, 9.9], epochs=0, patience=2)
    assert steps_of(made.run()) == best
    assert (made.journal.epoch, made.journal.best_epoch) == (ends, best)
    # The last epoch is looked at a second time, now as the last one.
    assert watch.asked[-2:] == [(ends, False), (ends, True)]
    assert made.journal.history[-1]["test_accuracy"] == 0.5
    assert "test_accuracy" not in made.journal.history[-2]


def test_epochs_are_the_upper_bound_of_patience():
    made, _, watch = fit([0.1, 0.2, 0.3], epochs=3, patience=2)
    assert steps_of(made.run()) == 3
    assert watch.asked == [(1, False), (2, False), (3, True)]


def test_ties_go_by_the_second_number():
    made, _, _ = fit([0.0] * 4, epochs=4)
    looks = iter([(0.5, -2.0), (0.5, -1.0), (0.5, -1.5), (0.4, 0.0)])
    made.watch = lambda network, epoch, last: Look({}, next(looks))
    assert steps_of(made.run()) == 2


def test_groups_and_the_record_of_an_epoch():
    hearing = Hearing()
    made, step, _ = fit([None, None], batches=5, hearing=hearing, epochs=2, accum_iter=2)
    made.run()
    assert step.seen == [(1, 0, 1.0, 2), (1, 1, 1.0, 2), (1, 2, 1.0, 1), (2, 3, 1.0, 2), (2, 4, 1.0, 2), (2, 5, 1.0, 1)]
    first = hearing.records[0]
    # Losses 0, 1, 2 of groups with 8, 8 and 1 clips.
    assert first["train_loss"] == pytest.approx((0 * 8 + 1 * 8 + 2 * 1) / 17)
    assert [first[name] for name in ("epoch", "step", "lr", "train_accuracy")] == [1, 3, 1.0, 1.0]
    assert made.steps_per_epoch == 3
    assert made.total_steps == 6


@pytest.mark.parametrize(("settings", "seen"), [({"epochs": 2}, [0, 1 / 3, 2 / 3, 1]), ({"patience": 1}, [1] * 4)])
def test_progress_goes_from_0_to_1_over_the_steps(settings, seen):
    """Of two epochs of two steps; where patience ends training it is 1 throughout."""
    made, step, _ = fit([0.5, 0.5], batches=2, **settings)
    made.network.add_module("drop", DropBlock2d(1.0, 0.5, 2, 2, rises=True))
    made.run()
    assert [share / 0.5 for share in step.shares] == pytest.approx(seen)


def test_the_average_is_what_is_looked_at_and_kept():
    made, _, _ = fit([None] * 2, epochs=2, ema=0.5)
    network = made.run()
    # The decay rises as (1 + t) / (10 + t): of the steps t = 0 and 1, 0.1 and 2/11 are kept of the average.
    first = 0.9 * 1
    assert steps_of(network) == pytest.approx(2 / 11 * first + 9 / 11 * 2)


def test_the_even_average_of_the_last_steps_with_statistics_of_their_epochs():
    made, step, _ = fit([None] * 4, batches=2, epochs=4, swa=0.6)
    # 0.6 of 8 steps is 4.8: from step 4 on, whose weights are 5, to the last, whose weights are 8.
    assert steps_of(made.run()) == pytest.approx((5 + 6 + 7 + 8) / 4)
    assert step.counted == [(3, 2), (4, 2)]


@pytest.mark.parametrize("killed_after", [1, 2, 3, 4])
def test_a_broken_even_average_ends_as_an_unbroken_one(tmp_path, killed_after):
    settings = {"batches": 3, "epochs": 5, "swa": 0.4}
    wanted = fit([None] * 5, tmp_path / "whole", **settings)[0].run()
    broken, _, _ = fit([None] * 5, tmp_path / "broken", hearing=Hearing(killed_after), **settings)
    with pytest.raises(Killed):
        broken.run()
    again, _, _ = fit([None] * 5, tmp_path / "broken", **settings)
    assert steps_of(again.run(resume=True)) == steps_of(wanted)


@pytest.mark.parametrize("ema", [0.0, 0.9])
@pytest.mark.parametrize("killed_after", [1, 2, 3, 4])
def test_a_broken_stage_ends_as_an_unbroken_one(tmp_path, killed_after, ema):
    scores, settings = [0.1, 0.5, 0.4, 0.3], {"epochs": 0, "patience": 2, "ema": ema}
    whole, _, _ = fit(scores, tmp_path / "whole", **settings)
    wanted = whole.run()
    broken, _, _ = fit(scores, tmp_path / "broken", hearing=Hearing(killed_after), **settings)
    with pytest.raises(Killed):
        broken.run()
    again, step, _ = fit(scores, tmp_path / "broken", **settings)
    network = again.run(resume=True)
    assert len(step.seen) == 4 - killed_after
    assert steps_of(network) == steps_of(wanted)
    unlike = {"seconds"}
    assert [{k: v for k, v in record.items() if k not in unlike} for record in again.journal.history] == [
        {k: v for k, v in record.items() if k not in unlike} for record in whole.journal.history
    ]


def test_only_the_best_epoch_is_on_disk(tmp_path):
    made, _, _ = fit([0.1, 0.5, 0.4, 0.6, 0.2], tmp_path, epochs=5)
    made.run()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best-00004.safetensors", "state.safetensors"]


def test_a_kill_between_best_and_state_goes_back_to_the_former_best(tmp_path, monkeypatch):
    def killed(*_: object) -> None:
        raise Killed

    scores = [0.1, 0.5, 0.9, 0.2]
    made, _, _ = fit(scores, tmp_path, epochs=4, hearing=Hearing(killed_after=2))
    with pytest.raises(Killed):
        made.run()
    made, _, _ = fit(scores, tmp_path, epochs=4)
    with monkeypatch.context() as patch:
        patch.setattr("audiosurvey.training.loop.save_state", killed)
        with pytest.raises(Killed):
            made.run(resume=True)
    assert (tmp_path / "best-00003.safetensors").exists()
    made, step, _ = fit(scores, tmp_path, epochs=4)
    assert steps_of(made.run(resume=True)) == 3
    assert [epoch for epoch, *_ in step.seen] == [3, 4]


@pytest.mark.parametrize("missing", [True, False])
def test_a_lost_best_is_one_line_with_the_mend(tmp_path, missing):
    folder = tmp_path / "checkpoint"
    fit([0.5, 0.1], folder, epochs=2)[0].run()
    best = folder / "best-00001.safetensors"
    best.unlink() if missing else best.write_bytes(best.read_bytes()[:20])
    with pytest.raises(UserError, match=r"best-00001\.safetensors: .*remove the folder .*checkpoint, and") as error:
        fit([0.5, 0.1], folder, epochs=2)[0].run(resume=True)
    assert len(error.value.lines) == 1


def test_without_resume_it_starts_anew(tmp_path):
    fit([None] * 2, tmp_path, epochs=2)[0].run()
    made, step, _ = fit([None] * 2, tmp_path, epochs=2)
    made.run()
    assert len(step.seen) == 2


def test_a_cycled_momentum_falls_while_the_rate_rises_and_comes_back():
    made, step, _ = fit([None] * 4, epochs=4)
    made.run()
    assert step.momenta == [None] * 4
    made, step, _ = fit([None] * 5, epochs=5)
    made.schedule = ScheduleConfig(name="one_cycle", warmup=0.6, momentum_low=0.5)
    made.momentum = 0.9
    made.run()
    assert step.momenta == pytest.approx([0.9, 0.7, 0.5, 0.7, 0.9])
