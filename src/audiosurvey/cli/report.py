"""The command that writes a run or a survey as a web page: report."""

from pathlib import Path
from typing import Annotated

import typer

import audiosurvey
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
    """Write one HTML page: results with intervals, curves, classes, mistakes to hear, costs, how to reproduce them."""
    written = audiosurvey.report(
        target, output, audio=audio, runs=runs, folds=fold_numbers(folds), force=force, progress=True
    )
    from audiosurvey.pages.units import size
    from audiosurvey.reporting.console import STDERR

    for line in written.absent:
        STDERR.print(f"left out: {line}", soft_wrap=True, markup=False)
    print(f"report: {written.path} ({size(written.size)})")
