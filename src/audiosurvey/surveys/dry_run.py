"""What a survey will cost, from a few training steps of each recipe; nothing is trained."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import psutil

from audiosurvey.data.readahead import cpu_count
from audiosurvey.runs.forecast import others_are_busy
from audiosurvey.runs.listener import OpenBar
from audiosurvey.surveys.cell import Cell
from audiosurvey.surveys.folder import CellStates
from audiosurvey.surveys.planning.budget import measure
from audiosurvey.surveys.planning.opener import Opener
from audiosurvey.surveys.planning.plan import SurveyPlan
from audiosurvey.surveys.search.asked import TRIALS, TrialCells, searched_name

_PREDICTION_BYTES = 12
"""Bytes of a score in predictions.csv."""
_START_SECONDS = 10.0
"""Until processes side by side have loaded torch and the data."""
_WORTH_IT = 0.8
"""More jobs are proposed if they take at most this share of the time."""


@dataclass(frozen=True)
class RowForecast:
    """The cost of one recipe, or of the trials of a search."""

    name: str
    cells: int
    pending: int
    """Cells to train: failed ones only if they are retried."""
    parameters: int
    macs: int | None
    """Multiply-accumulates for one window; None: not known."""
    epochs: int
    """0: ended by patience."""
    seconds_per_cell: float
    """Of an epoch, if only patience ends the training."""
    disk_bytes: int
    """Of all its cells, once they are done."""

    @property
    def seconds(self) -> float:
        """Of all pending cells, one after the other."""
        return self.seconds_per_cell * self.pending


@dataclass(frozen=True)
class MoreJobs:
    """What `--jobs` would give."""

    jobs: int
    seconds: float
    """Wall-clock time of the pending cells."""


@dataclass(frozen=True)
class SurveyForecast:
    """The cost of a survey on this machine."""

    rows: list[RowForecast]
    slots: int
    """Cells trained at the same time."""
    peak_bytes: int
    """Memory of one process."""
    checkpoint_bytes: int
    """Disk space of checkpoints while cells are trained."""
    most_slots: int = 1
    """Cells that this machine could train at the same time; 1 also where this is not for `--jobs` to say."""

    @property
    def cells(self) -> int:
        return sum(row.cells for row in self.rows)

    @property
    def pending(self) -> int:
        return sum(row.pending for row in self.rows)

    @property
    def seconds(self) -> float:
        """Wall-clock time, if cells side by side do not slow each other down."""
        return sum(row.seconds for row in self.rows) / self.slots

    @property
    def more_jobs(self) -> MoreJobs | None:
        """As many cells at a time as the machine and the pending cells allow.

        None if that is hardly quicker, or if only patience ends a training.
        """
        jobs = min(self.most_slots, self.pending)
        if jobs <= self.slots or any(not row.epochs for row in self.rows):
            return None
        seconds = _START_SECONDS + sum(row.seconds for row in self.rows) / jobs
        return MoreJobs(jobs, seconds) if seconds <= _WORTH_IT * self.seconds else None

    @property
    def disk_bytes(self) -> int:
        return sum(row.disk_bytes for row in self.rows)

    def as_json(self) -> dict[str, Any]:
        """The form of `survey --dry-run --json`."""
        totals = {name: getattr(self, name) for name in ("cells", "pending", "slots", "seconds", "disk_bytes")}
        more = self.more_jobs
        totals |= {"peak_bytes": self.peak_bytes, "more_jobs": asdict(more) if more else None}
        return totals | {"rows": [asdict(row) for row in self.rows]}


def forecast_survey(
    plan: SurveyPlan,
    cells: Sequence[Cell],
    slots: int,
    opener: Opener,
    bar: OpenBar,
    *,
    retry_failed: bool = False,
    propose_jobs: bool = False,
) -> SurveyForecast:
    """Measures every recipe that has cells among `cells` (those of this shard).

    `retry_failed`: failed cells are trained again; `propose_jobs`: also find out whether more jobs would help.
    """
    states = plan.folder.states()
    ended = states.done if retry_failed else states.ended
    rows: list[RowForecast] = []
    peak = checkpoint = 0
    with bar(f"timing {len(plan.rows)} configs") as advance:
        for number, row in enumerate(plan.rows, start=1):
            own = [cell for cell in cells if cell.row == row.recipe.name]
            if own:
                experiment = opener.experiment(row.config, row.folds)
                measured = measure(experiment, plan.conditions)
                peak, checkpoint = max(peak, measured.peak_bytes), max(checkpoint, measured.disk_bytes)
                clips = len(experiment.sounds.table.clips) / max(1, len(experiment.sounds.table.folds))
                kept = int(clips * len(experiment.sounds.table.classes) * _PREDICTION_BYTES) + 20_000
                if plan.survey.spec.keep != "predictions":
                    kept += 4 * experiment.description.parameters
                if plan.survey.spec.keep == "all":
                    kept += measured.disk_bytes
                rows.append(
                    RowForecast(
                        row.recipe.name,
                        len(own),
                        sum(cell.id not in ended for cell in own),
                        experiment.description.parameters,
                        experiment.description.whole_macs,
                        row.config.train.epochs or 0,
                        measured.seconds,
                        kept * len(own),
                    )
                )
            if advance:
                advance(number, len(plan.rows))
    if rows:
        rows += _search_rows(plan, rows[0], states, retry_failed=retry_failed)
    slots = min(slots, max(1, sum(row.cells for row in rows)))
    most = _most_slots(plan, peak) if propose_jobs else 1
    return SurveyForecast(rows, slots, peak, checkpoint * slots, most)


def _most_slots(plan: SurveyPlan, peak_bytes: int) -> int:
    """How many cells the processor cores and the free memory of this machine are enough for."""
    if plan.conditions.device != "cpu" or plan.search is not None or others_are_busy():
        return 1
    by_memory = psutil.virtual_memory().available // max(1, peak_bytes)
    return max(1, min(cpu_count() // plan.conditions.threads, by_memory))


def _search_rows(plan: SurveyPlan, row: RowForecast, states: CellStates, *, retry_failed: bool) -> list[RowForecast]:
    """The trials of a search and the row with what it finds, whose cells cost about as much as those of `row`."""
    if plan.search is None:
        return []
    trials = TrialCells.read(plan.folder, plan.search)
    pending = trials.pending(states, retry_failed=retry_failed)
    ended = states.done if retry_failed else states.ended
    found = [] if pending else [cell for cell in plan.found if cell.id in ended]
    disk_bytes = trials.total * row.disk_bytes // row.cells
    return [
        replace(row, name=TRIALS, cells=trials.total, pending=pending, disk_bytes=disk_bytes),
        replace(row, name=searched_name(row.name), pending=row.cells - len(found)),
    ]
