"""The command that turns a model into one file for other runtimes: export."""

from pathlib import Path
from typing import Annotated

import typer

import audiosurvey
from audiosurvey.cli.app import ForceOption, JsonOption, ModelArgument, app, print_json


@app.command()
def export(
    model: ModelArgument,
    format: Annotated[
        str,
        typer.Option(
            metavar="onnx|torch|executorch",
            help="onnx: for any language; torch: a torch.export program; executorch: for phones.",
        ),
    ] = "onnx",
    int8: Annotated[bool, typer.Option("--int8", help="ONNX with 8-bit integers, about a third of the size.")] = False,
    calibration: Annotated[
        Path | None,
        typer.Option(help="With --int8: a folder of sounds to calibrate on; default: the model's golden clips."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="The file to write; default: model.onnx, model.int8.onnx... in MODEL.")
    ] = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Export a model to one file, from waveform to scores, after checking that it gives the same scores."""
    outcome = audiosurvey.export(model, format, output=output, int8=int8, calibration=calibration, force=force)
    if as_json:
        print_json(outcome.as_json())
        return
    for line in outcome.lines():
        print(line)
    print(f"wrote {outcome.path}")
