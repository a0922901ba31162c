"""The command demo: a local web page to try a model on."""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

import audiosurvey
from audiosurvey.cli.app import TrustOption, app


@app.command()
def demo(
    target: Annotated[
        str,
        typer.Argument(metavar="MODEL_OR_FOLDER", help="A model, an exported file, or a folder with several."),
    ],
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 allows other computers.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0: any free port.")] = 7860,
    max_mb: Annotated[float, typer.Option(min=0.001, help="Largest upload in MB.")] = 100,
    max_minutes: Annotated[float, typer.Option(min=0.001, help="Longest sound in minutes.")] = 10,
    threshold: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Minimum score of the best class, else 'unknown'; default: the model's own."),
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="Classes to show.")] = 5,
    examples: Annotated[Path | None, typer.Option(help="Folder of example sounds.")] = None,
    trust: TrustOption = False,
) -> None:
    """Serve a local web page: drop or record a sound, see its spectrogram and scores. Works offline."""
    if host not in ("127.0.0.1", "localhost", "::1"):
        print(f"note: listening on {host}; anyone who can reach this address can use the page", file=sys.stderr)
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
