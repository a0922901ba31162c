"""Commands about results: runs, merge."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from audiosurvey.cli.app import ForceOption, JsonOption, app, print_json, stdout
from audiosurvey.errors import UserError


@app.command()
def runs(
    folder: Annotated[Path, typer.Argument(help="Folder to search, with all subfolders.")] = Path("runs"),
    as_json: JsonOption = False,
) -> None:
    """List runs and their results."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; 'audiosurvey train' makes runs, in runs/ unless --run-dir is given")
    from audiosurvey.pipeline import runs as list_runs
    from audiosurvey.reporting.summary import print_runs

    left_out: list[str] = []
    found = list_runs(folder, left_out.append)
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
    results: Annotated[list[Path], typer.Argument(metavar="RESULT...", help="Run folders, or results.json files.")],
    output: Annotated[Path | None, typer.Option(help="File to write the merged results.json to.")] = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Merge the folds of runs with the same config, data and version."""
    from audiosurvey.pipeline import merge as join
    from audiosurvey.reporting.summary import print_summary

    merged = join(results, output, force=force)
    if as_json:
        print_json(merged.as_json())
        return
    print_summary(merged, stdout())
    if output is not None:
        print(f"results: {output}")
