"""How a run shows itself: bars on a terminal, plain lines elsewhere."""

import io

import pytest
from rich.console import Console

from audiosurvey.reporting.console import progress_bar, share_bar
from audiosurvey.reporting.listener import TerminalListener

RECORD = {"epoch": 2, "train_loss": 0.51234, "train_accuracy": 0.9, "lr": 0.001, "seconds": 3.21, "test_accuracy": 0.75}


def plain() -> Console:
    return Console(file=io.StringIO(), force_terminal=False, width=60)


def terminal() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=120)


def text(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_plain_line_an_epoch_however_narrow():
    console = plain()
    with TerminalListener(console).stages(["fold 1 of 5"], 10) as (shown,):
        shown.on_step(1, 1, 4, 0.7)
        shown.on_epoch(RECORD)
    line = "fold 1 of 5: epoch 2/10: train loss 0.5123, test accuracy 0.7500, lr 1.00e-03, 3.2 s\n"
    assert text(console) == line


def test_without_an_end_no_total_and_validation_comes_first():
    console = plain()
    with TerminalListener(console).stages(["fold 1 of 5"], 0) as (shown,):
        shown.on_epoch(RECORD | {"val_accuracy": 0.5})
    assert "epoch 2: " in text(console)
    assert "val accuracy 0.5000" in text(console)


def test_several_labels_show_map_and_no_look_shows_training():
    console = plain()
    with TerminalListener(console).stages(["fold"], 0) as (shown,):
        shown.on_epoch({name: value for name, value in RECORD.items() if name != "test_accuracy"} | {"test_map": 0.25})
        shown.on_epoch({name: value for name, value in RECORD.items() if name != "test_accuracy"})
    assert "test map 0.2500" in text(console)
    assert "train accuracy 0.9000" in text(console)


def test_a_line_of_a_linear_probe_has_no_gap():
    console = plain()
    probe = {name: value for name, value in RECORD.items() if not name.startswith(("test_", "val_", "train_acc"))}
    with TerminalListener(console).stages(["final model"], 1) as (shown,):
        shown.on_epoch({**probe, "epoch": 1, "lr": None})
    assert text(console) == "final model: epoch 1/1: train loss 0.5123, 3.2 s\n"


def test_a_bar_of_which_nothing_was_to_be_done_does_not_stay():
    """What a terminal shows at last: the bars of the last drawing, without what was drawn over."""
    console = terminal()
    with progress_bar("preparing toy", console):
        pass
    assert "preparing" not in text(console).rsplit("\x1b[2K", 1)[-1]
    with progress_bar("preparing toy", console) as advance:
        advance(3, 3)
    assert "3/3" in text(console).rsplit("\x1b[2K", 1)[-1]


def test_a_bar_with_the_score_on_a_terminal():
    console = terminal()
    with TerminalListener(console).stages(["fold 1 of 5"], 2) as (shown,):
        shown.on_epoch(RECORD)
        shown.on_step(2, 8, 4, 0.25)
    assert "fold 1 of 5" in text(console)
    assert "2/2" in text(console)
    assert "loss 0.250 test accuracy 0.7500" in text(console)
    assert "train loss" not in text(console)


def test_the_finished_bar_shows_the_last_epoch():
    console = terminal()
    with TerminalListener(console).stages(["fold 1 of 5"], 2) as (shown,):
        shown.on_epoch(RECORD | {"epoch": 1, "test_accuracy": 0.25})
        shown.on_step(2, 8, 4, 0.25)
        shown.on_epoch(RECORD | {"epoch": 2, "test_accuracy": 0.875})
    last = [line for line in text(console).splitlines() if "2/2" in line][-1]
    assert "test accuracy 0.8750" in last
    assert "0.2500" not in last


def test_quiet_is_quiet():
    for console in (plain(), terminal()):
        with TerminalListener(console, quiet=True).stages(["fold 1 of 5"], 2) as (shown,):
            shown.on_step(1, 1, 4, 0.7)
            shown.on_epoch(RECORD)
        assert text(console) == ""


def test_the_bar_of_a_preparation():
    for console, wanted in ((plain(), ""), (terminal(), "preparing toy")):
        with progress_bar("preparing toy", console) as moved:
            moved(1, 10)
            moved(10, 10)
        assert wanted in text(console)
        assert bool(text(console)) is bool(wanted)


def test_brackets_in_names_are_no_markup():
    console = plain()
    with TerminalListener(console).stages(["fold [red]1[/red]"], 2) as (shown,):
        shown.on_epoch(RECORD)
    assert "fold [red]1[/red]" in text(console)


def test_a_share_that_is_done_tells_what_is_left(monkeypatch: pytest.MonkeyPatch):
    now = [100.0]
    monkeypatch.setattr("audiosurvey.reporting.console.time.monotonic", lambda: now[0])
    console = plain()
    with share_bar("predicting", console) as moved:
        for share, seconds in ((0.1, 5), (0.2, 11), (0.25, 15), (0.6, 31)):
            now[0] = 100.0 + seconds
            moved(share)
    # 20 % in 11 s leave 80 % for 44 s; 40 % in the next 20 s leave the last 40 % for 20 s.
    assert text(console).splitlines() == ["predicting: 20 %, about 44 s left", "predicting: 60 %, about 20 s left"]


def test_nothing_is_left_only_at_the_end(monkeypatch: pytest.MonkeyPatch):
    now = [100.0]
    monkeypatch.setattr("audiosurvey.reporting.console.time.monotonic", lambda: now[0])
    console = plain()
    with progress_bar("clips", console) as moved:
        for done, seconds in ((990, 11), (999, 22), (1000, 33)):
            now[0] = 100.0 + seconds
            moved(done, 1000)
    lines = ["clips: 990 of 1000, about 1 s left", "clips: 999 of 1000, about 1.2 s left", "clips: 1000 of 1000"]
    assert text(console).splitlines() == lines


def test_a_share_on_a_terminal_is_a_bar():
    console = terminal()
    with share_bar("predicting", console) as moved:
        moved(0.5)
    assert "predicting" in text(console)
    assert "left" in text(console)
