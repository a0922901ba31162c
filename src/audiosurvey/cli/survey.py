"""The command that runs surveys."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import audiosurvey
from audiosurvey.cli.app import JsonOption, app, print_json, stdout
from audiosurvey.errors import UserError

if TYPE_CHECKING:
    from audiosurvey.surveys.status import SurveyStatus


@app.command()
def survey(
    survey: Annotated[Path | None, typer.Argument(metavar="SURVEY", help="A survey file, or a survey folder.")] = None,
    run_dir: Annotated[Path | None, typer.Option(help="Survey folder; default: surveys/NAME.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the cells and their cost; train nothing.")] = False,
    status: Annotated[bool, typer.Option("--status", help="Print what is done, running and failed.")] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Cells trained in parallel, each in its own process.")] = 1,
    ray: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Train on a Ray cluster: 'local', 'auto' or its address.")
    ] = None,
    shard: Annotated[
        str | None, typer.Option(metavar="I/N", help="Train only every N-th cell, from number I: for job arrays.")
    ] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Also train cells that failed before.")] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Train again cells that another version of audiosurvey has trained.")
    ] = False,
    final: Annotated[
        str | None, typer.Option(metavar="ROW", help="Train one model of this row on all folds, for deployment.")
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a key of every config; may be given several times."),
    ] = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of survey files instead.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Train many configs on all folds and seeds, and continue where an earlier call stopped."""
    if schema:
        from audiosurvey.surveys.planning.reading import schema_text

        print(schema_text(), end="")
        return
    if survey is None:
        raise UserError("survey: which survey? give a survey file (see docs/survey.md), or --schema")
    if final is not None:
        _train_final(run_dir or survey, final, as_json=as_json)
        return
    if status:
        from audiosurvey.surveys.planning.place import survey_folder
        from audiosurvey.surveys.shard import Shard

        if shard:
            Shard.parse(shard)
        _print_status(
            audiosurvey.survey_status(run_dir or survey), survey_folder(run_dir or survey).path, as_json=as_json
        )
        return
    given = {"run_dir": run_dir, "jobs": jobs, "ray": ray, "shard": shard, "retry_failed": retry_failed, "fresh": fresh}
    if dry_run:
        forecast = audiosurvey.survey_forecast(survey, overrides or (), **given, progress=True)
        if as_json:
            print_json(forecast.as_json())
            return
        from audiosurvey.surveys.table import forecast_table

        stdout().print(forecast_table(forecast))
        return
    found = audiosurvey.survey(survey, overrides or (), **given, progress=True)
    from audiosurvey.surveys.planning.place import find_survey

    folder = find_survey(survey, run_dir).folder.path
    _print_status(found, folder, as_json=as_json)
    if found.done and not as_json:
        print(f"compare: audiosurvey compare {folder}")
    if found.failed:
        raise typer.Exit(1)


def _train_final(survey: Path, row: str, *, as_json: bool) -> None:
    trained = audiosurvey.train_final(survey, row, progress=True)
    if as_json:
        print_json(trained.as_json())
    else:
        print(f"final model: {trained.path}")


def _print_status(found: "SurveyStatus", folder: Path, *, as_json: bool) -> None:
    """The table to stdout, then the failed cells to stderr."""
    from audiosurvey.surveys.table import failure_lines, status_table

    if as_json:
        print_json(found.as_json())
        return
    stdout().print(status_table(found))
    for line in failure_lines(found, folder):
        print(line, file=sys.stderr)
