"""Commands about data: download, prepare, preview."""

from pathlib import Path
from typing import Annotated

import typer

import audiosurvey
from audiosurvey.cli.app import ConfigArgument, ForceOption, SetOption, app


@app.command()
def download(
    name: Annotated[str, typer.Argument(help="A built-in data set, such as esc50 or urbansound8k.")],
    root: Annotated[Path | None, typer.Option(help="Target folder; default: where configs look for it.")] = None,
    url: Annotated[str | None, typer.Option(help="A mirror of the archive; its checksum is verified too.")] = None,
) -> None:
    """Download a data set; interrupted downloads resume, and checksums are verified."""
    print(audiosurvey.download(name, root, url=url, progress=True).text)


@app.command()
def prepare(
    config: ConfigArgument,
    overrides: SetOption = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Decoding threads; default: one per processor.")] = None,
) -> None:
    """Decode and resample a data set once, into the cache that training reads."""
    sounds = audiosurvey.prepare(config, overrides or (), workers=workers, progress=True)
    store = sounds.store
    print(f"{len(sounds.table.clips)} clips, {len(store.skipped)} skipped, {store.nbytes / 1e6:.1f} MB: {store.folder}")
    for bad in store.skipped:
        print(f"skipped: {bad.id}: {bad.reason}")


@app.command()
def preview(
    config: ConfigArgument,
    overrides: SetOption = None,
    clip: Annotated[
        list[str] | None, typer.Option(help="Clip id; may be given several times. Default: one of every class.")
    ] = None,
    epoch: Annotated[list[int] | None, typer.Option(min=1, help="Epoch; may be given several times.")] = None,
    output: Annotated[Path, typer.Option(help="Folder to write into.")] = Path("preview"),
    force: ForceOption = False,
) -> None:
    """Render the augmentation of clips: WAV files before and after, a picture, and the random parameters."""
    for path in audiosurvey.preview(
        config, overrides or (), clips=clip or (), epochs=epoch or 1, output=output, force=force, progress=True
    ):
        print(path)
