"""Commands about results: runs, merge."""

import sys
from pathlib import Path
from typing import Annotated

import typer

import audiosurvey
from audiosurvey.cli.app import ForceOption, JsonOption, app, print_json, stdout
from audiosurvey.cli.messages import command_line


@app.command()
def runs(
    folder: Annotated[Path, typer.Argument(help="Folder to search, with all subfolders.")] = Path("runs"),
    as_json: JsonOption = False,
) -> None:
    """List runs and their results."""
    left_out: list[str] = []
    found = audiosurvey.list_runs(folder, unreadable=left_out.append)
    from audiosurvey.reporting.summary import print_runs

    if as_json:
        print_json([run.as_json() for run in found])
    elif found:
        print_runs(found, stdout())
    else:
        print(f"{folder}: no runs in it" + (" that can be read" if left_out else ""))
    for line in left_out:
        print(f"left out: {line}", file=sys.stderr)


@app.command()
def merge(
    results: Annotated[list[Path], typer.Argument(metavar="RESULT", help="Run folders, or results.json files.")],
    output: Annotated[Path | None, typer.Option(help="File to write the merged results.json to.")] = None,
    run_dir: Annotated[
        Path | None, typer.Option(help="Run folder to make of them, with the models of all folds.")
    ] = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Merge the folds of runs with the same config, data and version."""
    merged = audiosurvey.merge(results, output, run_dir=run_dir, force=force)
    if as_json:
        print_json(merged.as_json())
        return
    from audiosurvey.reporting.summary import print_summary

    print_summary(merged, stdout())
    if output is not None:
        print(f"results: {output}")
    if run_dir is not None:
        print(f"run folder: {run_dir}")
        final = ["--final"] if merged.done == merged.all_folds else []
        print(f"next: {command_line(['train', run_dir / 'config.yaml', '--run-dir', run_dir, '--resume', *final])}")
