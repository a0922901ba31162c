"""The forecast: plausible numbers, and nothing of the run is changed by it."""

import subprocess
import sys

import psutil
import pytest
import torch

from audiosurvey.data.sounds import prepare_sounds as prepare
from audiosurvey.runs.forecast import Forecast, forecast, others_are_busy
from audiosurvey.runs.stages.stage import Stage
from audiosurvey.threads import threads
from audiosurvey.training.accelerator import make_accelerator
from audiosurvey.training.step import StepResult


def stage(tiny, *overrides: str) -> Stage:
    config = tiny(*overrides).config
    sounds = prepare(config.dataset, config.sample_rate)
    accelerator = make_accelerator("cpu", "fp32")
    return Stage(
        config, sounds, sounds.table.clips[:18], accelerator=accelerator, settings=config.train, name="train", fold=1
    )


def test_steps_and_looks_of_a_fold(tiny):
    found = forecast(stage(tiny, "train.epochs=10"), 6)
    assert found.steps == 30
    assert 0 < found.seconds_per_step < 5
    assert found.seconds == pytest.approx(30 * found.seconds_per_step + found.evaluation_seconds)
    assert found.peak_bytes > 1e7
    # Weights, their average, two moments of the optimizer and the model: five times the state in float32.
    parameters = sum(value.numel() for value in stage(tiny).build().state_dict().values())
    assert found.disk_bytes == 4 * 5 * parameters


def test_of_one_epoch_where_patience_decides(tiny):
    assert forecast(stage(tiny, "train={epochs: 0, patience: 3, batch_size: 8}"), 6).steps == 3


def test_nothing_random_is_used_up_and_weights_are_built_the_same(tiny):
    made = stage(tiny)
    before, generator = made.build().state_dict(), torch.get_rng_state()
    forecast(made, 6)
    assert torch.equal(torch.get_rng_state(), generator)
    assert all(torch.equal(before[name], value) for name, value in made.build().state_dict().items())


DONE = StepResult("train", 1, 1, (), 8, torch.ones(3))


def test_the_slow_first_step_never_stands_alone(tiny, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("audiosurvey.runs.forecast.time.perf_counter", lambda: clock[0])
    made, taken = stage(tiny), iter([30.0, 12.0, 11.0])

    def step(*_, **__):
        clock[0] += next(taken)
        return DONE

    monkeypatch.setattr(made, "step", lambda _: step)
    assert forecast(made, 6).seconds_per_step == 12.0


@pytest.mark.parametrize(("busy", "number"), [(True, 2), (False, 2), (True, 1)])
def test_on_a_busy_machine_one_thread_is_tried_too(tiny, monkeypatch, busy, number):
    """A step takes 4 s on two threads that wait for each other, and 1 s on one."""
    clock = [0.0]
    monkeypatch.setattr("audiosurvey.runs.forecast.time.perf_counter", lambda: clock[0])
    monkeypatch.setattr("audiosurvey.runs.forecast.others_are_busy", lambda: busy)
    made = stage(tiny)

    def step(*_, **__):
        clock[0] += 1.0 if torch.get_num_threads() == 1 else 4.0
        return DONE

    monkeypatch.setattr(made, "step", lambda _: step)
    with threads(number):
        found, without = forecast(made, 6, try_one_thread=True), forecast(made, 6)
        assert torch.get_num_threads() == number
    assert without.seconds_per_step_on_one is None
    assert found.seconds_per_step_on_one == (1.0 if busy and number == 2 else None)
    assert found.seconds_per_step == without.seconds_per_step == (4.0 if number == 2 else 1.0)


def test_the_quicker_way_is_said():
    from audiosurvey.reporting.plan import one_thread_words

    assert one_thread_words(Forecast(4.0, 100, 0.0, 0, 0), "a fold") == ""
    assert one_thread_words(Forecast(4.0, 100, 0.0, 0, 0, 1.0), "a fold") == (
        "; other programs use this machine: one thread would take about 1.7 min a fold, which is quicker: "
        "give --threads 1"
    )
    assert one_thread_words(Forecast(1.0, 80, 20.0, 0, 0, 2.0), "an epoch").endswith(
        "one thread would take about 3.3 min an epoch, which is not quicker"
    )


def test_a_program_that_works_is_seen():
    """This process waits while it listens; others compute on every processor."""
    workers = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(psutil.cpu_count() or 1)]
    try:
        assert any(others_are_busy() for _ in range(50))
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()


def test_seconds_of_a_fold_are_said_in_words(tiny):
    from audiosurvey.pages.units import duration, size

    assert Forecast(0.5, 100, 10.0, 0, 0).seconds == 60
    assert [duration(seconds) for seconds in (4.2, 89, 120, 3600, 7200)] == ["4.2 s", "89 s", "2 min", "60 min", "2 h"]
    assert [size(count) for count in (1_500, 2_340_000, 5e9)] == ["2 kB", "2.3 MB", "5.0 GB"]
