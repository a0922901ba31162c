"""The command that writes a run or a survey as a web page: report."""

from pathlib import Path
from typing import Annotated

import typer

from audiosurvey.cli.app import ForceOption, app, fold_numbers


@app.command()
def report(
    target: Annotated[Path, typer.Argument(metavar="RUN_OR_SURVEY", help="A run folder, or a survey folder.")],
    output: Annotated[
        Path | None, typer.Option(help="HTML file to write; default: report.html in the folder, replaced if there.")
    ] = None,
    audio: Annotated[bool, typer.Option("--audio/--no-audio", help="With or without sounds.")] = True,
    runs: Annotated[
        bool, typer.Option("--runs", help="For a survey: also write the page of each run, without sounds.")
    ] = False,
    folds: Annotated[
        str | None, typer.Option(help="For a survey: compare on these folds only, such as 1,2; default: all.")
    ] = None,
    force: ForceOption = False,
) -> None:
    """Write one HTML page: results with intervals, curves, classes, mistakes, sounds, costs, how to reproduce them."""
    from audiosurvey.reporting.page.target import ReportOptions, check_report

    # Invalid input is reported before torch is loaded.
    options = ReportOptions(audio, runs, force, tuple(fold_numbers(folds) or ()))
    check_report(target, output, options)
    from audiosurvey.pipeline import report as write
    from audiosurvey.reporting.console import STDERR, progress_bar
    from audiosurvey.reporting.units import size

    written = write(target, output, options, progress_bar)
    for line in written.absent:
        STDERR.print(f"left out: {line}", soft_wrap=True, markup=False)
    print(f"report: {written.path} ({size(written.size)})")
