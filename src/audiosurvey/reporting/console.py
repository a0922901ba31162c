"""Progress on the terminal: bars, or plain lines where stderr is not a terminal. All of it goes to stderr."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from audiosurvey.pages.units import duration
from audiosurvey.runs.listener import Advance
from audiosurvey.training.listener import Record

STDERR = Console(stderr=True, highlight=False)
_SECONDS_BETWEEN_LINES = 10


def shows_bars(console: Console) -> bool:
    """Whether bars can move: on a terminal, and in a notebook that can show widgets."""
    return console.is_terminal or (console.is_jupyter and find_spec("ipywidgets") is not None)


def bars(console: Console, count: ProgressColumn | None = None, **options: Any) -> Progress:
    """Bars one below the other; `count` is the column that shows how much is done."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        count or MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        console=console,
        **options,
    )


@contextmanager
def progress_bar(title: str, console: Console = STDERR) -> Iterator[Advance]:
    """A function to call with (done, total): it moves a bar, or prints a line now and then."""
    if not shows_bars(console):
        yield _lines(title, console, lambda done, total: f"{done:g} of {total:g}" if total else f"{done:g}")
        return
    with bars(console) as shown:
        task = shown.add_task(title, total=None, note="")
        yield lambda done, total: shown.update(task, completed=done, total=total)
        # Nothing was to be done, as where a finished store was found: no bar stays behind.
        shown.update(task, visible=shown.tasks[0].total is not None)


@contextmanager
def share_bar(title: str, console: Console = STDERR) -> Iterator[Callable[[float], None]]:
    """A function to call with the share that is done, from 0 to 1; otherwise as `progress_bar`.

    What is printed to stdout meanwhile stands above the bar, if both go to the terminal.
    """
    if not shows_bars(console):
        say = _lines(title, console, lambda done, total: f"{100 * done:.0f} %")
        yield lambda share: say(share, 1)
        return
    percent = TaskProgressColumn(show_speed=False)
    with bars(console, percent, transient=True, redirect_stdout=sys.stdout.isatty()) as shown:
        task = shown.add_task(title, total=1.0, note="")
        yield lambda share: shown.update(task, completed=share)


def _lines(
    title: str, console: Console, amount: Callable[[float, int | None], str]
) -> Callable[[float, int | None], None]:
    """Prints a line at most every ten seconds."""
    last, before = time.monotonic(), 0.0

    def say(done: float, total: int | None) -> None:
        nonlocal last, before
        now = time.monotonic()
        if now - last >= _SECONDS_BETWEEN_LINES:
            # At the pace since the last line: what was done before the program began took no time.
            left = ""
            if total is not None and before < done < total:
                left = f", about {duration(max(1.0, (now - last) / (done - before) * (total - done)))} left"
            console.print(f"{title}: {amount(done, total)}{left}", soft_wrap=True, markup=False)
            last, before = now, done

    return say


class StageDisplay:
    """Shows one training: a bar of its epochs with the current score, or a line per epoch."""

    def __init__(self, title: str, epochs: int, console: Console, shown: Progress | None) -> None:
        """`shown`: the bars among which this one is put; None: lines. `epochs` 0: their number is not known."""
        self.title, self.epochs, self.console, self._bars = title, epochs, console, shown
        self._task = shown.add_task(title, total=epochs or None, note="") if shown else TaskID(0)
        self._note = ""

    def on_step(self, epoch: int, step: int, steps_per_epoch: int, loss: float) -> None:
        if self._bars:
            done = round(step / max(1, steps_per_epoch), 2)
            self._bars.update(self._task, completed=done, note=f"loss {loss:.3f} {self._note}")

    def on_epoch(self, record: Record) -> None:
        self._note = _scores(record)
        if self._bars:
            note = f"loss {record['train_loss']:.3f} {self._note}"
            self._bars.update(self._task, completed=record["epoch"], note=note)
            return
        of = f"/{self.epochs}" if self.epochs else ""
        parts = [f"train loss {record['train_loss']:.4f}", self._note]
        parts += ["" if record["lr"] is None else f"lr {record['lr']:.2e}", duration(record["seconds"])]
        line = f"{self.title}: epoch {record['epoch']}{of}: {', '.join(part for part in parts if part)}"
        self.console.print(line, soft_wrap=True, markup=False)


def _scores(record: Record) -> str:
    for side in ("val", "test"):
        for metric in ("accuracy", "map"):
            value = record.get(f"{side}_{metric}")
            if value is not None:
                return f"{side} {metric} {value:.4f}"
    accuracy = record.get("train_accuracy")
    return "" if accuracy is None else f"train accuracy {accuracy:.4f}"
