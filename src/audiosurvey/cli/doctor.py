"""The command that audits a data set: doctor."""

from pathlib import Path
from typing import Annotated

import typer

from audiosurvey.cli.app import ForceOption, JsonOption, SetOption, app, print_json, stdout
from audiosurvey.errors import UserError


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
    from audiosurvey.data.sets.ignore import write_ignore
    from audiosurvey.diagnosis.audit import as_json as in_json
    from audiosurvey.diagnosis.terminal import print_diagnosis
    from audiosurvey.pipeline import doctor as audit
    from audiosurvey.reporting.console import STDERR, progress_bar

    if html is not None and quarantine is not None and html.absolute() == quarantine.absolute():
        raise UserError(f"--html {html}, --quarantine {quarantine}: are the same file; give different files")
    outputs = {"html": html, "quarantine": quarantine}
    with progress_bar("listening") as advance:
        diagnosis = audit(data, overrides or (), advance, outputs=outputs, force=force)
    said: list[str] = []
    if html is not None:
        from audiosurvey.diagnosis.page import write_page

        write_page(html, diagnosis)
        said.append(f"page: {html}")
    if quarantine is not None:
        reasons, kept = diagnosis.quarantine()
        write_ignore(quarantine, reasons)
        said.append(
            f"quarantined: {len(reasons)} clips; exclude them with 'dataset: {{ignore: {quarantine.as_posix()}}}'"
        )
        said += [f"not quarantined: {line}" for line in kept]
    if as_json:
        print_json(in_json(diagnosis, clips=everything))
    else:
        print_diagnosis(diagnosis, stdout(), everything=everything)
    for line in said:
        STDERR.print(line, soft_wrap=True, markup=False)
    if diagnosis.spoilt:
        raise typer.Exit(1)
