"""Commands that serve a model: demo, a local web page to try it on, and serve, an HTTP API."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

import audiosurvey
from audiosurvey.cli.app import DeviceOption, TrustOption, app, note_open_address

HostOption = Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 allows other computers.")]
PortOption = Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0: any free port.")]
MaxMbOption = Annotated[float, typer.Option(min=0.001, help="Largest upload in MB.")]
MaxMinutesOption = Annotated[float, typer.Option(min=0.001, help="Longest sound in minutes.")]


@app.command()
def demo(
    target: Annotated[
        str,
        typer.Argument(metavar="MODEL_OR_FOLDER", help="A model, an exported file, or a folder with several."),
    ],
    host: HostOption = "127.0.0.1",
    port: PortOption = 7860,
    max_mb: MaxMbOption = 100,
    max_minutes: MaxMinutesOption = 10,
    threshold: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Minimum score of the best class, else 'unknown'; default: the model's own."),
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="Classes to show.")] = 5,
    examples: Annotated[Path | None, typer.Option(help="Folder of example sounds.")] = None,
    trust: TrustOption = False,
) -> None:
    """Serve a local web page: drop or record a sound, see its spectrogram and scores. Works offline."""
    note_open_address(host, "page")
    audiosurvey.serve_demo(
        target,
        host=host,
        port=port,
        max_mb=max_mb,
        max_minutes=max_minutes,
        threshold=threshold,
        top=top,
        examples=examples,
        trust=trust,
        opened=partial(print, flush=True),
    )


@app.command()
def serve(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model folder, a run with one, or an exported file.")],
    host: HostOption = "127.0.0.1",
    port: PortOption = 8000,
    max_mb: MaxMbOption = 100,
    max_minutes: MaxMinutesOption = 10,
    max_waiting: Annotated[
        int, typer.Option(min=1, help="Most requests at a time; others are answered with status 503.")
    ] = 256,
    batch_size: Annotated[int, typer.Option(min=1, help="Most windows and sounds scored together.")] = 16,
    device: DeviceOption = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="Processor threads; default: all.")] = None,
    trust: TrustOption = False,
) -> None:
    """Serve an HTTP API: POST a sound to /predict, get its classes as JSON. The address shows a page about it."""
    note_open_address(host, "API")
    audiosurvey.serve_api(
        model,
        host=host,
        port=port,
        max_mb=max_mb,
        max_minutes=max_minutes,
        max_waiting=max_waiting,
        batch_size=batch_size,
        device=device,
        threads=threads,
        trust=trust,
        opened=partial(print, flush=True),
    )
