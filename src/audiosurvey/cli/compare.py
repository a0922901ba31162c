"""The command that compares models: compare."""

import sys
from pathlib import Path
from typing import Annotated

import typer

import audiosurvey
from audiosurvey.cli.app import ForceOption, JsonOption, app, fold_numbers, print_json, stdout


@app.command()
def compare(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="DIR_OR_RUN", help="Survey folders, run folders, folders with predictions.csv."),
    ],
    baseline: Annotated[str | None, typer.Option(help="Model to compare with; default: the best one.")] = None,
    pairs: Annotated[bool, typer.Option("--pairs", help="Compare all pairs.")] = False,
    margin: Annotated[float, typer.Option(help="Models within this many points count as the same.")] = 1.0,
    folds: Annotated[str | None, typer.Option(help="Compare on these folds only, such as 1,2,3.")] = None,
    cost: Annotated[
        str, typer.Option(help="Cost of the Pareto front, such as macs, parameters, train_seconds, ms_per_clip.")
    ] = "macs",
    timing: Annotated[
        bool, typer.Option("--timing", help="Measure the time per clip now, and store it beside the runs.")
    ] = False,
    csv: Annotated[Path | None, typer.Option(help="Write one row per model.")] = None,
    long_csv: Annotated[Path | None, typer.Option(help="Write one row per model, seed and fold.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write a table for a README.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write an HTML page with plots.")] = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Compare models on the same clips: intervals, verdicts, costs.

    Exit status 1 if runs of a survey had to be left out.
    """
    from audiosurvey.comparison.output.outputs import OUTPUTS, check_outputs, write_outputs
    from audiosurvey.comparison.output.terminal import print_comparison

    given = dict(zip(OUTPUTS, (csv, long_csv, markdown, html), strict=True))
    targets = {option: path for option, path in given.items() if path is not None}
    check_outputs(targets, paths, force=force)
    found = audiosurvey.compare(
        paths,
        baseline=baseline,
        pairs=pairs,
        margin=margin / 100,
        folds=fold_numbers(folds),
        cost=cost,
        timing=timing,
    )
    write_outputs(found, targets)
    if as_json:
        print_json(found.as_json())
    else:
        print_comparison(found, stdout())
    for option, path in targets.items():
        print(f"{option}: {path}", file=sys.stderr)
    for line in found.left_out:
        print(f"left out: {line}", file=sys.stderr)
    if found.left_out:
        raise typer.Exit(1)
