"""Commands about configs: init, check, describe, presets."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from audiosurvey.cli.app import ConfigArgument, ForceOption, JsonOption, SetOption, app, load_config, print_json, stdout
from audiosurvey.data.sets.registry import BUILT_IN, OWN
from audiosurvey.errors import UserError


@app.command()
def init(
    path: Annotated[Path, typer.Argument(help="Where to write the config.")] = Path("config.yaml"),
    dataset: Annotated[str, typer.Option(help=f"One of {', '.join((*BUILT_IN, *OWN))}.")] = "esc50",
    preset: Annotated[str | None, typer.Option(help="Preset to start from; see 'audiosurvey presets'.")] = None,
    force: ForceOption = False,
) -> None:
    """Write a commented starter config."""
    from audiosurvey.pipeline import init as write

    write(path, dataset, preset, force=force)
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
    loaded = load_config(config, overrides)
    from audiosurvey.pipeline import check as check_config

    data = check_config(loaded)
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
    loaded = load_config(config, overrides)
    from audiosurvey.data.dataset import builtin_classes, load_table
    from audiosurvey.model.describe import table_rows
    from audiosurvey.pipeline import describe as describe_model

    if classes is None:
        names = builtin_classes(loaded.config.dataset)
        classes = len(names if names is not None else load_table(loaded.config.dataset, make_folds=False).classes)
    description = describe_model(loaded.config, classes)
    if as_json:
        print_json(asdict(description))
        return
    from audiosurvey.pages.columns import Column
    from audiosurvey.pages.terminal_table import FittedTable

    heading, *rows = table_rows(description)
    columns = [
        Column(title, cells, "text" if title == "layer" else "number")
        for title, cells in zip(heading, zip(*rows, strict=True), strict=True)
    ]
    print(f"{config}, {classes} classes, input {' x '.join(map(str, description.input_shape))}")
    stdout().print(FittedTable(columns, totals=1))


@app.command()
def presets() -> None:
    """List the shipped presets."""
    # Not through the pipeline, which loads torch.
    from audiosurvey.config.presets import preset_titles

    for name, title in preset_titles().items():
        print(f"{name:<24}{title}")
