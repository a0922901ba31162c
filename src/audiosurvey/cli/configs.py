"""Commands about configs: init, check, describe, presets."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

import audiosurvey
from audiosurvey.cli.app import ConfigArgument, ForceOption, JsonOption, SetOption, app, print_json, stdout
from audiosurvey.data.sets.registry import BUILT_IN, OWN
from audiosurvey.errors import UserError


@app.command()
def init(
    path: Annotated[Path, typer.Argument(help="Where to write the config.")] = Path("config.yaml"),
    dataset: Annotated[
        str | None,
        typer.Option(
            help=f"One of {', '.join((*BUILT_IN, *OWN))}; or a file for dataset.spec; default: what is at --root."
        ),
    ] = None,
    root: Annotated[
        Path | None, typer.Option(help="Folder of the sounds, or a CSV table; the values are chosen to suit them.")
    ] = None,
    preset: Annotated[str | None, typer.Option(help="Preset to start from; see 'audiosurvey presets'.")] = None,
    overrides: SetOption = None,
    force: ForceOption = False,
) -> None:
    """Look at the data, and write a commented starter config that suits it."""
    written = audiosurvey.init(path, dataset, preset, root=root, overrides=overrides or (), force=force)
    if written.about:
        print(f"{written.dataset}: {written.about}")
    if written.note:
        print(f"note: {written.note}", file=sys.stderr)
    if written.advice:
        print(f"note: {written.advice}", file=sys.stderr)
    print(f"wrote {path}; next: audiosurvey check {path}")


@app.command()
def check(
    config: Annotated[str | None, typer.Argument(metavar="CONFIG", help="A config file, or a preset's name.")] = None,
    overrides: SetOption = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of configs instead.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Validate a config and its data, and print it with every value filled in; the verdict goes to stderr."""
    if schema:
        if config is not None or overrides:
            raise UserError("check --schema: prints the schema of all configs and reads none; leave CONFIG out")
        from audiosurvey.config.manual.shipped import shipped_schema

        print(shipped_schema(), end="")
        return
    if config is None:
        raise UserError("check: which config? give a file or a preset's name, or --schema")
    loaded = audiosurvey.load_config(config, overrides or ())
    data = audiosurvey.check(loaded)
    for note in data.notes:
        print(f"note: {note}", file=sys.stderr)
    if as_json:
        print_json(loaded.config.model_dump(mode="json"))
    else:
        print(loaded.resolved_yaml(), end="")
    print(f"{config}: valid; {data.verdict}", file=sys.stderr)


@app.command()
def describe(
    config: ConfigArgument,
    overrides: SetOption = None,
    classes: Annotated[
        int | None, typer.Option(min=1, help="Number of classes; default: those of the data set.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Print the layers of the network: shapes, parameters, MACs, receptive field."""
    description = audiosurvey.describe(config, overrides or (), classes=classes)
    if as_json:
        print_json(asdict(description))
        return
    from audiosurvey.model.describe import table_rows
    from audiosurvey.pages.columns import Column
    from audiosurvey.pages.terminal_table import FittedTable

    heading, *rows = table_rows(description)
    columns = [
        Column(title, cells, "text" if title == "layer" else "number")
        for title, cells in zip(heading, zip(*rows, strict=True), strict=True)
    ]
    print(f"{config}, {description.classes} classes, input {' x '.join(map(str, description.input_shape))}")
    stdout().print(FittedTable(columns, totals=1))
    for note in description.notes:
        print(f"note: {note}")


@app.command()
def presets() -> None:
    """List the shipped presets."""
    for name, title in audiosurvey.list_presets().items():
        print(f"{name:<24}{title}")
