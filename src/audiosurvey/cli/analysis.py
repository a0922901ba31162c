"""Commands that analyse finished runs: robustness."""

from pathlib import Path
from typing import Annotated

import typer

import audiosurvey
from audiosurvey.cli.app import DeviceOption, FoldsOption, JsonOption, app, fold_numbers, print_json, stdout

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
