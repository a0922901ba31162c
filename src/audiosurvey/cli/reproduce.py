"""The command that trains a recorded run again and compares the results: reproduce."""

from pathlib import Path
from typing import Annotated

import typer

import audiosurvey
from audiosurvey.cli.app import DeviceOption, FoldsOption, JsonOption, SetOption, app, fold_numbers, print_json, stdout


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
