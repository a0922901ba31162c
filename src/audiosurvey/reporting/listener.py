"""What the command line shows and draws of a run: progress, lines, and the two pictures of the run folder."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext

from rich.console import Console

from audiosurvey.reporting.console import STDERR, StageDisplay, bars, progress_bar
from audiosurvey.reporting.figures import draw_batch, draw_confusion, draw_curves
from audiosurvey.reporting.plan import final_line, forecast_line, plan_lines
from audiosurvey.runs.listener import Advance
from audiosurvey.runs.optional import optional
from audiosurvey.runs.plan import RunPlan
from audiosurvey.runs.results.fold_log import read_history
from audiosurvey.runs.results.results import RunResults
from audiosurvey.runs.results.run_folder import RunFolder
from audiosurvey.runs.train import TrainListener
from audiosurvey.training.listener import Listener


class TerminalListener(TrainListener):
    """Shows a run on a terminal or in a log, and draws its pictures.

    `say`: where lines go, by default to `console`; `quiet`: without progress.
    """

    def __init__(
        self, console: Console = STDERR, say: Callable[[str], None] | None = None, quiet: bool = False
    ) -> None:
        self._console, self._quiet = console, quiet
        self._say = say or (lambda line: console.print(line, soft_wrap=True, markup=False))
        self.draw_batch = draw_batch

    def say(self, line: str) -> None:
        self._say(line)

    def planned(self, plan: RunPlan, notes: Sequence[str]) -> None:
        for line in [*notes, *plan_lines(plan)]:
            self.say(line)

    def before_folds(self, plan: RunPlan) -> None:
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
            shown = stack.enter_context(bars(self._console)) if self._console.is_terminal else None
            yield [StageDisplay(title, epochs, self._console, shown) for title in titles]

    def recorded(self, run: RunFolder, results: RunResults) -> None:
        draw_run(run, results)


def draw_run(run: RunFolder, results: RunResults) -> None:
    """Draws confusion.png and curves.png of the folds that have ended."""
    words = f"{results.dataset.subset or results.dataset.name}, {_folds_in_words(results.done)}"
    marked = [name for name in ("optimistic", "leaking") if getattr(results, name)]
    suffix = f" ({', '.join(marked)})" if marked else ""
    if results.confusion:
        title = f"{words}: accuracy {results.mean['accuracy']:.3f}{suffix}"
        with optional("confusion.png"):
            draw_confusion(run.path / "confusion.png", results.confusion, results.classes, title)
    with optional("curves.png"):
        histories = {fold: read_history(run.fold(fold)) for fold in results.done}
        draw_curves(run.path / "curves.png", histories, words + suffix)


def _folds_in_words(folds: Sequence[int]) -> str:
    """`fold 3`, `folds 1 to 5`, `folds 1, 3, 4`."""
    if len(folds) == 1:
        return f"fold {folds[0]}"
    whole = len(folds) > 2 and list(folds) == list(range(folds[0], folds[-1] + 1))
    return f"folds {folds[0]} to {folds[-1]}" if whole else f"folds {', '.join(map(str, folds))}"
