"""Commands about data: download, prepare, preview, cache."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import audiosurvey
from audiosurvey.cli.app import ConfigArgument, ForceOption, JsonOption, SetOption, app, print_json, stdout
from audiosurvey.errors import UserError, number_of
from audiosurvey.pages.units import size

if TYPE_CHECKING:
    from audiosurvey.data.cached import CachedItem


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


@app.command()
def cache(
    remove: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Remove this, or what begins so; may be given several times."),
    ] = None,
    clear: Annotated[
        bool, typer.Option("--clear", help="Remove everything that is made, or downloaded, again when it is needed.")
    ] = False,
    older_than: Annotated[
        int | None,
        typer.Option(metavar="DAYS", min=0, help="Only what was used last so many days ago or earlier."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Remove without asking.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List decoded sounds, downloaded weights and what else is kept in the cache, or remove some of it.

    Do not remove stores while a training reads them. Tables that a program gave are removed by name alone.
    """
    from audiosurvey.data.cached import choose_cached, remove_cached

    if yes and not clear and not remove:
        raise UserError("--yes: is for --clear and --remove; leave it out")
    if clear and remove:
        raise UserError("--clear: removes everything; leave --remove out")
    found = choose_cached(audiosurvey.list_cache(), remove or None, older_than)
    removed = remove_cached(found) if (clear or remove) and _confirmed(found, yes=yes, as_json=as_json) else None
    if as_json:
        print_json([item.as_json() for item in (found if removed is None else removed)])
    elif removed is None:
        _print_cache(found, older_than)
    else:
        for item in found:
            print(f"{'removed' if item in removed else 'left, being built or behind a link'}: {item.name}")
        print(f"{size(sum(item.size for item in removed))} freed")


def _confirmed(found: "Sequence[CachedItem]", *, yes: bool, as_json: bool) -> bool:
    """Whether these may be removed."""
    if not found or yes:
        return True
    if as_json or not sys.stdin.isatty():
        raise UserError("cache: nothing is removed without asking; give --yes")
    _print_cache(found)
    try:
        answer = input(f"remove these {number_of(len(found), 'entry', 'entries')}? [y/N] ")
    except EOFError:
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        raise typer.Exit(1)
    return True


def _print_cache(found: "Sequence[CachedItem]", older_than: int | None = None) -> None:
    from audiosurvey.cache import cache_folder
    from audiosurvey.pages.columns import Column
    from audiosurvey.pages.terminal_table import FittedTable

    if not found:
        when = "" if older_than is None else " was last used that long ago"
        print(f"{cache_folder()}: nothing in it{when}")
        return
    columns = [
        Column("name", tuple(_short(item.name) for item in found), "name"),
        Column("size", tuple(size(item.size) for item in found)),
        Column("used last", tuple(item.used for item in found), "text"),
        Column("what", tuple(item.what for item in found), "text"),
    ]
    stdout().print(FittedTable(columns))
    print(f"{size(sum(item.size for item in found))} in {cache_folder()}")


def _short(name: str) -> str:
    """Enough of the name of a store to tell it from others."""
    folder, _, key = name.rpartition("/")
    return f"{folder}/{key[:12]}" if folder == "stores" and "." not in key else name
