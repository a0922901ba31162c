"""Commands that analyse finished runs: robustness."""

from pathlib import Path
from typing import Annotated

import typer

from audiosurvey.cli.app import DeviceOption, FoldsOption, JsonOption, app, fold_numbers, print_json, stdout
from audiosurvey.errors import UserError

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
    numbers = fold_numbers(folds)
    if not run.is_dir():
        raise UserError(f"{run}: no such folder; expected a run")
    from audiosurvey.pipeline import robustness as measure
    from audiosurvey.reporting.console import progress_bar
    from audiosurvey.reporting.robustness import print_robustness
    from audiosurvey.training.devices import check_device

    check_device(device)
    found = measure(run, numbers, baseline=baseline, device=device, fresh=fresh, bar=progress_bar)
    if as_json:
        print_json(found.as_json())
    else:
        print_robustness(found, stdout())
        print(f"results: {run / 'analysis' / 'robustness.json'}")
