"""Commands about finished runs: robustness, report, reproduce."""

from pathlib import Path
from typing import Annotated

import typer

import audiosurvey
from audiosurvey.cli.app import (
    DeviceOption,
    FoldsOption,
    ForceOption,
    JsonOption,
    SetOption,
    app,
    fold_numbers,
    print_json,
    stdout,
)

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")]


@app.command()
def robustness(
    run: RunArgument,
    folds: FoldsOption = None,
    baseline: Annotated[
        Path | None, typer.Option(help="A run to compare errors with, whose robustness was measured before.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Also measure folds that were measured before.")] = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Test the models of a run on corrupted clips of their test folds: noise, filters, reverberation, MP3, ..."""
    found = audiosurvey.robustness(
        run, folds=fold_numbers(folds), baseline=baseline, fresh=fresh, device=device, progress=True
    )
    if as_json:
        print_json(found.as_json())
    else:
        from audiosurvey.reporting.robustness import print_robustness

        print_robustness(found, stdout())
        print(f"results: {run / 'analysis' / 'robustness.json'}")


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


@app.command()
def reproduce(
    recorded: Annotated[Path, typer.Argument(metavar="RUN_OR_RESULTS", help="A run folder, or a results.json file.")],
    overrides: SetOption = None,
    run_dir: Annotated[
        Path | None,
        typer.Option(help="New run folder, continued if it is there; default: runs/NAME-reproduced."),
    ] = None,
    folds: FoldsOption = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Folds trained in parallel; default: as in the recorded run.")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Processor threads of all jobs; default: as in the recorded run.")
    ] = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Train a recorded run again and compare: equal to the last digit, reproduced, or different (exit status 1).

    --set takes paths only, such as dataset.root=FOLDER.
    """
    found = audiosurvey.reproduce(
        recorded,
        overrides or (),
        run_dir=run_dir,
        folds=fold_numbers(folds),
        jobs=jobs,
        threads=threads,
        device=device,
        progress=True,
    )
    from audiosurvey.reproduction.wording import print_reproduction

    if as_json:
        print_json(found.as_json())
    else:
        print(f"run folder: {found.run}")
        print_reproduction(found, stdout())
    if found.verdict == "different":
        raise typer.Exit(1)
