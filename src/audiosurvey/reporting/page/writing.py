"""Writes reports: one HTML file each, of bounded size."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from audiosurvey.atomic import write_text
from audiosurvey.comparison.benchmark import make_benchmarks
from audiosurvey.comparison.compare import compare_benchmarks
from audiosurvey.comparison.leaderboard import CompareOptions
from audiosurvey.comparison.sources import find_rows, is_survey
from audiosurvey.errors import ArgumentError, UserError
from audiosurvey.reporting.page.material import gather
from audiosurvey.reporting.page.run_page import run_page
from audiosurvey.reporting.page.survey_page import compared_classes, survey_page
from audiosurvey.reporting.page.target import ReportOptions, check_report
from audiosurvey.runs.listener import OpenBar, no_bar
from audiosurvey.runs.results.run_folder import RunFolder

MOST_BYTES = 15_000_000


@dataclass(frozen=True)
class WrittenReport:
    """A page that was written."""

    path: Path
    size: int
    """Bytes."""
    absent: tuple[str, ...] = ()
    """What could not be shown, a line each."""


def write_report(
    target: Path, output: Path | None = None, options: ReportOptions = ReportOptions(), bar: OpenBar = no_bar
) -> WrittenReport:
    """One HTML page about a run or a survey. `output` None: `report.html` in its folder, which is replaced."""
    path = check_report(target, output, options)
    if is_survey(target):
        return write_survey_report(target, path, folds=options.folds, runs=options.runs, bar=bar)
    return write_run_report(RunFolder(target), path, audio=options.audio, bar=bar)


def write_run_report(run: RunFolder, path: Path, *, audio: bool, bar: OpenBar) -> WrittenReport:
    """Writes the page of a run. Raises UserError if it has no results, or the page would be too large."""
    material = gather(run, bar)
    absent = tuple(dict.fromkeys(material.absent.values()))
    page = run_page(material, audio=audio)
    return WrittenReport(path, write_page(path, page, sounds=audio and material.sounds is not None), absent)


def write_survey_report(
    survey: Path, path: Path, *, folds: Sequence[int] = (), runs: bool, bar: OpenBar
) -> WrittenReport:
    """Writes the page of a survey, on these `folds` only or on all; rows that lack one of them are left out.

    `runs`: first the page of each of its runs, without sounds, as RUN/report.html. Raises UserError if no run has
    results, or no row has all folds; nothing is written then.
    """
    rows = find_rows([survey])
    left_out: list[str] = []
    benchmarks = make_benchmarks(rows, folds, left_out.append)
    if runs:
        places = sorted({seed.path for row in rows for seed in row.seeds})
        with bar("pages of runs") as advance:
            for done, place in enumerate(places, 1):
                write_run_report(RunFolder(place), place / "report.html", audio=False, bar=no_bar)
                if advance:
                    advance(done, len(places))
    comparison = compare_benchmarks(benchmarks, CompareOptions(folds=tuple(folds)), left_out)
    compared = [compared_classes(benchmark, path) for benchmark in benchmarks]
    page = survey_page(f"Survey: {survey.resolve().name}", comparison, compared)
    return WrittenReport(path, write_page(path, page), tuple(left_out))


def write_page(path: Path, page: str, *, sounds: bool = False) -> int:
    """Writes a page, whole or not at all, and returns its size in bytes. `sounds`: whether it contains sounds.

    Raises UserError for more than 15 MB.
    """
    size = len(page.encode("utf-8", "backslashreplace"))
    if size > MOST_BYTES:
        megabytes = f"{size / 1e6:.0f} MB, more than {MOST_BYTES / 1e6:.0f} MB"
        if sounds:
            raise ArgumentError(
                f"{path}: the page would have {megabytes}; leave the sounds out with {{audio}}", audio=False
            )
        raise UserError(f"{path}: the page would have {megabytes}; there are too many clips or classes for one page")
    write_text(path, page)
    return size
