"""What the command line shows and draws of a run: progress, lines, and the two pictures of the run folder."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext

from rich.console import Console

from audiosurvey.reporting.console import STDERR, StageDisplay, bars, progress_bar, shows_bars
from audiosurvey.reporting.figures import draw_batch, save_figure
from audiosurvey.reporting.plan import final_line, forecast_line, plan_lines
from audiosurvey.reporting.run_figures import confusion_of, curves_of
from audiosurvey.runs.listener import Advance
from audiosurvey.runs.optional import optional
from audiosurvey.runs.plan import RunPlan
from audiosurvey.runs.results.results import RunResults
from audiosurvey.runs.results.run_folder import RunFolder
from audiosurvey.runs.train import TrainListener
from audiosurvey.training.listener import Listener


class TerminalListener(TrainListener):
    """Shows a run on a terminal or in a log, and draws its pictures.

    `say`: where lines go, by default to `console`; `quiet`: without progress; `forecasts`: say how long the folds will
    take, after some trial steps.
    """

    def __init__(
        self,
        console: Console = STDERR,
        say: Callable[[str], None] | None = None,
        quiet: bool = False,
        forecasts: bool = True,
    ) -> None:
        self._console, self._quiet, self._forecasts = console, quiet, forecasts
        self._say = say or (lambda line: console.print(line, soft_wrap=True, markup=False))
        self.draw_batch = draw_batch

    def say(self, line: str) -> None:
        self._say(line)

    def planned(self, plan: RunPlan, notes: Sequence[str]) -> None:
        for line in [*notes, *plan_lines(plan)]:
            self.say(line)

    def before_folds(self, plan: RunPlan) -> None:
        if not self._forecasts:
            return
        line = forecast_line(plan)
        if plan.context.is_main:
            self.say(line)

    def before_final(self, plan: RunPlan) -> None:
        self.say(final_line(plan))

    def bar(self, title: str) -> AbstractContextManager[Advance | None]:
        return nullcontext() if self._quiet else progress_bar(title, self._console)

    @contextmanager
    def stages(self, titles: Sequence[str], epochs: int) -> Iterator[Sequence[Listener]]:
        with ExitStack() as stack:
            if self._quiet:
                yield stack.enter_context(super().stages(titles, epochs))
                return
            shown = stack.enter_context(bars(self._console)) if shows_bars(self._console) else None
            yield [StageDisplay(title, epochs, self._console, shown) for title in titles]

    def recorded(self, run: RunFolder, results: RunResults) -> None:
        draw_run(run, results)


def draw_run(run: RunFolder, results: RunResults) -> None:
    """Draws confusion.png and curves.png of the folds that have ended."""
    if results.confusion:
        with optional("confusion.png"):
            save_figure(confusion_of(results), run.path / "confusion.png")
    with optional("curves.png"):
        save_figure(curves_of(run, results), run.path / "curves.png")
