"""The command that audits a data set: doctor."""

from pathlib import Path
from typing import Annotated

import typer

import audiosurvey
from audiosurvey.cli.app import ForceOption, JsonOption, SetOption, app, print_json, stdout


@app.command()
def doctor(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA", help="A config, a preset's name, the root of a data set, a CSV, or a folder of sounds."
        ),
    ],
    overrides: SetOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Show all findings; in JSON, all clips too.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write an HTML page with plots and sounds.")] = None,
    quarantine: Annotated[
        Path | None, typer.Option(help="Write a list of clips to exclude, with reasons, for dataset.ignore.")
    ] = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Audit a data set: broken, silent, clipped, duplicate, leaking and mislabelled clips, and shortcuts to classes.

    Exit status 1 if anything was found that would invalidate results.
    """
    diagnosis = audiosurvey.doctor(data, overrides or (), html=html, quarantine=quarantine, force=force, progress=True)
    from audiosurvey.diagnosis.audit import as_json as in_json
    from audiosurvey.diagnosis.terminal import print_diagnosis

    if as_json:
        print_json(in_json(diagnosis, clips=everything))
    else:
        print_diagnosis(diagnosis, stdout(), everything=everything)
    if diagnosis.spoilt:
        raise typer.Exit(1)
