"""How a run shows itself: progress bars on a terminal, one plain line an epoch elsewhere. All of it goes to stderr."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

STDERR = Console(stderr=True, highlight=False)


def _bars(console: Console) -> Progress:
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    return Progress(*columns, console=console)


@contextmanager
def progress_bar(what: str, console: Console = STDERR) -> Iterator[Callable[[int, int | None], None]]:
    """A function to call with (done, total); on a terminal it moves a bar, elsewhere it says a line now and then."""
    if not console.is_terminal:
        yield _plain(what, console)
        return
    with _bars(console) as bars:
        task = bars.add_task(what, total=None, note="")

        def move(done: int, total: int | None) -> None:
            bars.update(task, completed=done, total=total)

        yield move


@contextmanager
def share_bar(what: str, console: Console = STDERR) -> Iterator[Callable[[float], None]]:
    """A function to call with the share that is done, from 0 to 1; otherwise as `progress_bar`.

    What is printed to stdout meanwhile stands above the bar, where both go to the terminal.
    """
    if not console.is_terminal:
        yield _plain_share(what, console)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        TaskProgressColumn(show_speed=False),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, redirect_stdout=sys.stdout.isatty()) as bars:
        task = bars.add_task(what, total=1.0)
        yield lambda share: bars.update(task, completed=share)


def _plain_share(what: str, console: Console) -> Callable[[float], None]:
    last, before = time.monotonic(), 0.0

    def say(share: float) -> None:
        nonlocal last, before
        now = time.monotonic()
        if now - last >= 10:
            # At the pace since the last line: what was done before the program began has cost no time.
            left = f", about {(now - last) / (share - before) * (1 - share):.0f} s left" if share > before else ""
            console.print(f"{what}: {100 * share:.0f} %{left}", soft_wrap=True, markup=False)
            last, before = now, share

    return say


def _plain(what: str, console: Console) -> Callable[[int, int | None], None]:
    started = last = time.monotonic()

    def say(done: int, total: int | None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= 10:
            last = now
            of = f" of {total}, about {(now - started) / max(done, 1) * (total - done):.0f} s left" if total else ""
            console.print(f"{what}: {done}{of}", soft_wrap=True, markup=False)

    return say


class FoldProgress:
    """Tells how one stage goes on: a bar of its epochs with the current score, or a line an epoch."""

    def __init__(
        self,
        title: str,
        epochs: int,
        console: Console = STDERR,
        quiet: bool = False,
        bars: Progress | None = None,
    ) -> None:
        """`bars`: those of several stages, into which this one puts its own; whoever made them starts them."""
        self.title, self.epochs, self.console, self.quiet = title, epochs, console, quiet
        self._own = bars is None
        self._bars = bars or (_bars(console) if console.is_terminal and not quiet else None)
        self._task: TaskID | None = None
        self._note = ""

    def __enter__(self) -> "FoldProgress":
        if self._bars:
            if self._own:
                self._bars.start()
            self._task = self._bars.add_task(self.title, total=self.epochs or None, note="")
        return self

    def __exit__(self, *error: object) -> None:
        if self._bars and self._own:
            self._bars.stop()

    def on_step(self, epoch: int, step: int, steps_per_epoch: int, loss: float) -> None:
        if self._bars and self._task is not None:
            done = step / max(1, steps_per_epoch)
            self._bars.update(self._task, completed=round(done, 2), note=f"loss {loss:.3f} {self._note}")

    def on_epoch(self, record: dict[str, Any]) -> None:
        self._note = _scores(record)
        if self._bars and self._task is not None:
            note = f"loss {record['train_loss']:.3f} {self._note}"
            self._bars.update(self._task, completed=record["epoch"], note=note)
        if self._bars is None and not self.quiet:
            of = f"/{self.epochs}" if self.epochs else ""
            line = f"{self.title}: epoch {record['epoch']}{of}: train loss {record['train_loss']:.4f}, {self._note}"
            line += f", lr {record['lr']:.2e}" if record["lr"] is not None else ""
            line += f", {record['seconds']:.1f} s"
            self.console.print(line, soft_wrap=True, markup=False)


@contextmanager
def side_by_side(
    titles: Mapping[int, str], epochs: int, console: Console = STDERR, quiet: bool = False
) -> Iterator[dict[int, FoldProgress]]:
    """A `FoldProgress` for each fold of those that are trained at once, by its number: bars one below the other, or
    lines as they come."""
    with ExitStack() as stack:
        bars = stack.enter_context(_bars(console)) if console.is_terminal and not quiet else None
        yield {
            fold: stack.enter_context(FoldProgress(title, epochs, console, quiet, bars))
            for fold, title in titles.items()
        }


def _scores(record: dict[str, Any]) -> str:
    for side in ("val", "test"):
        for metric in ("accuracy", "map"):
            value = record.get(f"{side}_{metric}")
            if value is not None:
                return f"{side} {metric} {value:.4f}"
    accuracy = record.get("train_accuracy")
    return "" if accuracy is None else f"train accuracy {accuracy:.4f}"
