"""Commands that pass a model on: export to one file, push to the Hugging Face Hub."""

from pathlib import Path
from typing import Annotated

import typer

import audiosurvey
from audiosurvey.cli.app import ForceOption, GoldenClipsOption, JsonOption, ModelArgument, app, print_json, stdout


@app.command()
def export(
    model: ModelArgument,
    format: Annotated[
        str,
        typer.Option(
            metavar="onnx|torch|executorch|litert|coreml|web",
            help="onnx: for any language; torch: a torch.export program; executorch and litert: for "
            "phones; coreml: for iOS and macOS; web: a page that runs the model in the browser.",
        ),
    ] = "onnx",
    int8: Annotated[bool, typer.Option("--int8", help="ONNX, web page or LiteRT with 8-bit integers.")] = False,
    calibration: Annotated[
        Path | None,
        typer.Option(help="With --int8: a folder of sounds to calibrate on; default: the model's golden clips."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="File or folder to write; default: model.onnx, web, ... in MODEL."),
    ] = None,
    onnxruntime: Annotated[
        Path | None,
        typer.Option(help="For web: the npm package onnxruntime-web, a folder or .tgz; default: got with npm."),
    ] = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Export a model, from waveform to scores, to a file or a web page, after checking that its scores are the same."""
    outcome = audiosurvey.export(
        model, format, output=output, int8=int8, calibration=calibration, onnxruntime=onnxruntime, force=force
    )
    if as_json:
        print_json(outcome.as_json())
        return
    from audiosurvey.reporting.exported import print_export

    print_export(outcome, stdout())
    print(f"wrote {outcome.path}")


@app.command()
def push(
    model: ModelArgument,
    repo: Annotated[str, typer.Argument(metavar="REPO", help="Repository on the Hub, such as user/name.")],
    private: Annotated[bool, typer.Option("--private", help="If the repository is new, make it private.")] = False,
    golden_clips: GoldenClipsOption = True,
    as_json: JsonOption = False,
) -> None:
    """Publish a model on the Hugging Face Hub, after checking that it still gives the expected scores."""
    pushed = audiosurvey.push(model, repo, private=private, golden_clips=golden_clips)
    if as_json:
        print_json({"url": pushed.url, "golden_difference": pushed.difference, "licence": pushed.licence})
        return
    for line in pushed.lines:
        print(line)
