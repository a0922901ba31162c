"""Commands about data: download, prepare, preview."""

from pathlib import Path
from typing import Annotated

import typer

from audiosurvey.cli.app import ConfigArgument, ForceOption, SetOption, app, load_config


@app.command()
def download(
    name: Annotated[str, typer.Argument(help="A built-in data set, such as esc50 or urbansound8k.")],
    root: Annotated[Path | None, typer.Option(help="Target folder; default: where configs look for it.")] = None,
    url: Annotated[str | None, typer.Option(help="A mirror of the archive; its checksum is verified too.")] = None,
) -> None:
    """Download a data set; interrupted downloads resume, and checksums are verified."""
    from audiosurvey.pipeline import download as fetch
    from audiosurvey.reporting.console import progress_bar

    with progress_bar(f"downloading {name}") as moved:
        print(fetch(name, root, url, moved).text)


@app.command()
def prepare(
    config: ConfigArgument,
    overrides: SetOption = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Decoding threads; default: one per processor.")] = None,
) -> None:
    """Decode and resample a data set once, into the cache that training reads."""
    loaded = load_config(config, overrides)
    from audiosurvey.pipeline import prepare as prepare_data
    from audiosurvey.reporting.console import progress_bar

    dataset = loaded.config.dataset
    with progress_bar(f"preparing {dataset.name}") as advance:
        sounds = prepare_data(dataset, loaded.config.sample_rate, workers=workers, progress=advance)
    store = sounds.store
    print(f"{len(sounds.table.clips)} clips, {len(store.skipped)} skipped, {store.nbytes / 1e6:.1f} MB: {store.folder}")
    for bad in store.skipped:
        print(f"skipped: {bad.id}: {bad.reason}")


@app.command()
def preview(
    config: ConfigArgument,
    overrides: SetOption = None,
    clip: Annotated[
        list[str] | None, typer.Option(help="Clip id; may be given several times. Default: the first.")
    ] = None,
    epoch: Annotated[list[int] | None, typer.Option(min=1, help="Epoch; may be given several times.")] = None,
    output: Annotated[Path, typer.Option(help="Folder to write into.")] = Path("preview"),
    force: ForceOption = False,
) -> None:
    """Render the augmentation of a clip: WAV files before and after, a picture, and the random parameters."""
    from audiosurvey.targets import check_target_folder

    check_target_folder("output", output)
    loaded = load_config(config, overrides)
    from audiosurvey.pipeline import preview as render
    from audiosurvey.reporting.console import progress_bar

    for path in render(loaded.config, clip or [], epoch or [1], output, force, progress_bar):
        print(path)
