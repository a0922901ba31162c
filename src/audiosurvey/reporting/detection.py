"""Scores of detected events on the terminal."""

from collections.abc import Callable, Sequence

from rich.console import Console

from audiosurvey.detection.counts import Counts
from audiosurvey.detection.evaluation import EventEvaluation
from audiosurvey.detection.psds import DTC, MOST_AN_HOUR
from audiosurvey.detection.scoring import DetectionScores
from audiosurvey.detection.tuning import TunedDetection
from audiosurvey.errors import number_of
from audiosurvey.pages.columns import Column
from audiosurvey.pages.terminal_table import FittedTable
from audiosurvey.pages.units import duration


def print_detection(found: EventEvaluation, console: Console) -> None:
    """A row for each label and one for all, then what the numbers mean."""
    scores = found.scores
    recordings = f"{number_of(len(scores.recordings), 'recording')}, {duration(scores.seconds)}"
    title = f"{found.model} on {recordings}, {number_of(scores.events.true, 'event')}"
    _print_scores([title, found.how], scores, found.notes, console)


def print_tuning(found: TunedDetection, console: Console) -> None:
    """The scores on recordings that had no part in the choice, then the settings."""
    if found.held_out is not None:
        title = "scores of each half of the recordings, with the settings that are best on the other half"
        _print_scores([title], found.held_out, found.notes, console)
    else:
        lines = [*found.notes, "too few recordings to test the settings on others than those they were chosen on"]
        _print_scores([], None, lines, console)
    for line in (
        f"before: {found.earlier}: event F1 {_share(found.before.events.f1)}, "
        f"segment F1 {_share(found.before.segments.f1)}",
        f"chosen on all recordings: {found.settings}",
        f"stored in {found.file.as_posix()}; predict uses these settings from now on",
    ):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _print_scores(
    titles: Sequence[str], scores: DetectionScores | None, notes: Sequence[str], console: Console
) -> None:
    for line in titles:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    if scores is not None:
        console.print(FittedTable(_columns(scores), totals=1))
    for line in (*(_lines(scores) if scores else ()), *notes):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _columns(scores: DetectionScores) -> list[Column]:
    events = [*(label.events for label in scores.labels), scores.events]
    segments = [*(label.segments for label in scores.labels), scores.segments]

    def column(title: str, of: list[Counts], cell: Callable[[Counts], str]) -> Column:
        return Column(title, tuple(map(cell, of)))

    return [
        Column("label", (*(label.label for label in scores.labels), "all"), "name"),
        column("events", events, lambda one: str(one.true)),
        column("found", events, lambda one: str(one.found)),
        column("right", events, lambda one: str(one.hits)),
        column("event F1", events, lambda one: _share(one.f1)),
        column("segment F1", segments, lambda one: _share(one.f1)),
        column("segment recall", segments, lambda one: _share(one.recall)),
        column("segment precision", segments, lambda one: _share(one.precision)),
    ]


def _lines(scores: DetectionScores) -> list[str]:
    measure, events = scores.measure, scores.events
    ends = "" if measure.offset_share is None else f", its end within {measure.offset_share:.0%} of its length"
    wrong = f"{events.deletions} missed, {events.insertions} too many, {events.substitutions} with another label"
    lines = [
        f"an event is right if its start is within {measure.onset_s:g} s{ends}: {wrong}",
        f"segments of {measure.segment_s:g} s; false alarms: {scores.false_alarms_an_hour:.3g} an hour",
    ]
    mean = [scores.mean_f1(kind) for kind in ("events", "segments")]
    lines.append(f"mean of the labels: event F1 {_share(mean[0])}, segment F1 {_share(mean[1])}")
    if scores.psds is not None:
        lines.append(
            f"PSDS {scores.psds:.3f}: over all thresholds, up to {MOST_AN_HOUR:g} false alarms an hour, overlaps of "
            f"{DTC:.0%}"
        )
    return lines


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
