"""Commands about sounds by their embeddings: similar, suggest."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import audiosurvey
from audiosurvey.cli.app import DeviceOption, ForceOption, JsonOption, app, print_json
from audiosurvey.errors import ArgumentError, number_of, some_of
from audiosurvey.targets import check_target

if TYPE_CHECKING:
    from audiosurvey.embeddings.similar import SimilarSounds
    from audiosurvey.embeddings.suggest import Suggestions
    from audiosurvey.prediction.postprocessing import FailedSound

_SHOWN = 5

_Model = Annotated[str, typer.Argument(metavar="MODEL", help="A model folder, a run with one, or its name on the Hub.")]
_Query = Annotated[
    str,
    typer.Argument(
        metavar="QUERY", help="The sound to search for; if several are given, the mean of their embeddings."
    ),
]
_Sounds = Annotated[
    list[str],
    typer.Argument(metavar="PATH", help='Sound files, folders (with subfolders), "patterns", or CSV tables of them.'),
]
_Also = Annotated[
    list[str] | None,
    typer.Option("--also", metavar="QUERY", help="Another sound to search for; may be given several times."),
]
_Start = Annotated[float | None, typer.Option("--start", help="Where the part of the query begins, in seconds.")]
_End = Annotated[float | None, typer.Option("--end", help="Where the part of the query ends, in seconds.")]
_Hop = Annotated[float | None, typer.Option("--hop", help="Step between windows in seconds; default: a window.")]
_Page = Annotated[Path | None, typer.Option(help="Also write a web page with players and spectrograms.")]
_BatchSize = Annotated[int, typer.Option(min=1, help="Windows computed at once.")]
_Threads = Annotated[int | None, typer.Option(min=1, help="Processor threads; default: all.")]


@app.command()
def similar(
    model: _Model,
    query: _Query,
    sounds: _Sounds,
    also: _Also = None,
    number: Annotated[int, typer.Option(min=1, help="Maximum number of recordings to list.")] = 20,
    start_s: _Start = None,
    end_s: _End = None,
    hop_s: _Hop = None,
    output: Annotated[Path | None, typer.Option(help="Output file: .csv, or .json with what was left out.")] = None,
    page: _Page = None,
    force: ForceOption = False,
    batch_size: _BatchSize = 8,
    device: DeviceOption = "auto",
    threads: _Threads = None,
    as_json: JsonOption = False,
) -> None:
    """Search by sound: the nearest recordings by the embedding of a model.

    A recording is as near as the nearest of its windows, by the cosine of the angle between embeddings. The query is
    the mean of its windows. The query itself, by content, and silence are left out. Embeddings are kept in the cache,
    so that the next search of the same files takes seconds.
    """
    from audiosurvey.embeddings.result_files import check_result_file

    inputs = _inputs([query, *(also or ()), *sounds])
    if output is not None:
        check_result_file("output", output, inputs, force=force)
    if page is not None:
        check_target("page", page, inputs=inputs, force=force)
    if page is not None and output is not None and page.absolute() == output.absolute():
        raise ArgumentError("{page}: is the file of {output}; give another name", page=page, output=...)
    found = audiosurvey.similar(
        model,
        [query, *(also or ())],
        sounds,
        number=number,
        start_s=start_s,
        end_s=end_s,
        hop_s=hop_s,
        page=page,
        force=force,
        batch_size=batch_size,
        device=device,
        threads=threads,
        progress=True,
    )
    if output is not None:
        found.write(output, force=force)
    if as_json:
        print_json(found.as_json())
    elif output is None:
        _print_similar(found)
    for path in (output, page):
        _note(f"wrote {path}" if path is not None else "")
    if not found.hits:
        _note("nothing found: no sound is left to compare with")
    if found.left_out:
        _note(f"left out, same content as the query: {some_of(found.left_out, _SHOWN)}")
    if found.overlapping:
        _note(f"windows that overlap the query were skipped in: {some_of(found.overlapping, _SHOWN)}")
    _note_silent(found.silent)
    _end(found.failures, found.sounds)


@app.command()
def suggest(
    model: _Model,
    sounds: _Sounds,
    number: Annotated[int, typer.Option(min=1, help="Maximum number of clips to suggest.")] = 50,
    labelled: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help="A table whose rows with a label are left out, or a folder of labelled sounds; may be repeated.",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="The .csv file to fill in, or .json with what was left out.")
    ] = None,
    hop_s: Annotated[
        float | None,
        typer.Option(
            "--hop", help="Step between windows in seconds. If given, every window is a clip, even in short sounds."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
    force: ForceOption = False,
    batch_size: _BatchSize = 8,
    device: DeviceOption = "auto",
    threads: _Threads = None,
    as_json: JsonOption = False,
) -> None:
    """Active learning: suggest the clips whose label would teach a model most.

    They are uncertain and different from each other (BADGE, Ash et al. 2020). A sound of up to 30 s is one clip; of
    longer ones, each window is. What the model was trained on, copies and silence are left out. --output writes a CSV
    with an empty column label; filled in, it is a data set (name: csv).
    """
    from audiosurvey.embeddings.result_files import check_result_file

    tables = [Path(one) for one in labelled or ()]
    inputs = _inputs([*map(str, tables), *sounds])
    if output is not None:
        check_result_file("output", output, inputs, force=force)
    found = audiosurvey.suggest(
        model,
        sounds,
        number=number,
        labelled=tables,
        hop_s=hop_s,
        seed=seed,
        batch_size=batch_size,
        device=device,
        threads=threads,
        progress=True,
    )
    if output is not None and found.clips:
        found.write(output, force=force)
    if as_json:
        print_json(found.as_json())
    elif output is None:
        _print_suggestions(found)
    if output is not None and found.clips:
        then = "; fill in the column label" if output.suffix.lower() == ".csv" else ""
        _note(f"wrote {output}: {number_of(len(found), 'clip')} of {found.candidates}{then}")
    elif not found.clips:
        _note("nothing to suggest: no clip without a label is left")
    if found.labelled:
        _note(f"left out as labelled: {number_of(found.labelled, 'clip')}")
    if found.copies:
        _note(f"left out as copies of others: {some_of(found.copies, _SHOWN)}")
    if found.overlapping:
        _note(f"left out, more than half of it in another clip: {number_of(found.overlapping, 'clip')}")
    for line in found.notes:
        _note(line)
    _note_silent(found.silent)
    _end(found.failures, None)


def _inputs(words: Sequence[str]) -> list[Path]:
    """What is named, and the tables that patterns match."""
    from audiosurvey.embeddings.stretches import tables_of

    return [path for word in words for path in (tables_of(word) or [Path(word)])]


def _print_similar(found: "SimilarSounds") -> None:
    from audiosurvey.prediction.writers import clock

    if not found.hits:
        return
    print(f"{'similarity':>10}  {'start':>9}  {'end':>9}  path")
    for hit in found:
        print(f"{hit.similarity:10.3f}  {clock(hit.start_s):>9}  {clock(hit.end_s):>9}  {hit.name}")


def _print_suggestions(found: "Suggestions") -> None:
    from audiosurvey.prediction.writers import clock

    if not found.clips:
        return
    width = max(len("suggested"), *(len(one.text) for one in found))
    timed = any(one.start_s is not None for one in found)
    times = f"{'start':>9}  {'end':>9}  " if timed else ""
    print(f"score  {'suggested':{width}}  {times}path")
    for one in found:
        at = ["" if at_s is None else clock(at_s) for at_s in (one.start_s, one.end_s)]
        times = "".join(f"{text:>9}  " for text in at) if timed else ""
        print(f"{one.score:5.2f}  {one.text:{width}}  {times}{one.name}")


def _note(line: str) -> None:
    if line:
        print(line, file=sys.stderr)


def _note_silent(silent: Sequence[str]) -> None:
    if silent:
        _note(f"left out as silent: {some_of(silent, _SHOWN)}")


def _end(failures: "Sequence[FailedSound]", sounds: int | None) -> None:
    """Names what failed, with the exit status of `predict`."""
    if failures:
        of = "" if sounds is None else f" of {sounds}"
        _note(f"{len(failures)}{of} failed:")
        for one in failures:
            _note(f"  {one.name}: {one.reason}")
        raise typer.Exit(1)
