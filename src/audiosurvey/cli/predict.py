"""The command predict: what stands on the command line, checked and turned into what the stages take."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from audiosurvey.cli.app import DeviceOption, ForceOption, TrustOption, app
from audiosurvey.errors import UserError


@app.command()
def predict(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model folder, a run with one, an exported file.")],
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="PATH...", help='Sound files, folders (with all below), "patterns", or - for stdin.'),
    ] = None,
    mic: Annotated[bool, typer.Option("--mic", help="Listen to the microphone, until Ctrl-C.")] = False,
    whole: Annotated[bool, typer.Option("--whole", help="One answer a sound, whatever its length.")] = False,
    window: Annotated[float | None, typer.Option(help="Go through all sounds in windows of so many seconds.")] = None,
    hop: Annotated[float | None, typer.Option(help="Seconds from window to window; default: a window.")] = None,
    top: Annotated[
        int | None, typer.Option(min=1, help="Labels an answer; default: 3 for whole sounds in a table, else 1.")
    ] = None,
    threshold: Annotated[
        str | None,
        typer.Option(help="Score that the best class must reach, else 'unknown'; or model: its own, class by class."),
    ] = None,
    smooth: Annotated[
        str | None, typer.Option(help="Moving mean over so many windows, such as 5; median:5 for the median.")
    ] = None,
    events: Annotated[
        bool | None,
        typer.Option("--events/--no-events", help="Join windows to events; default: for table and audacity."),
    ] = None,
    on: Annotated[float | None, typer.Option(help="An event begins at this score; default: --threshold.")] = None,
    off: Annotated[float | None, typer.Option(help="An event goes on while its score is at least this.")] = None,
    min_duration: Annotated[float | None, typer.Option(min=0, help="Leave out events of fewer seconds.")] = None,
    min_gap: Annotated[float | None, typer.Option(min=0, help="Join events up to so many seconds apart.")] = None,
    format: Annotated[str, typer.Option(help="table, csv, json or audacity (label track).")] = "table",
    scores: Annotated[bool, typer.Option("--scores", help="With csv and json: the scores of all labels too.")] = False,
    output: Annotated[Path | None, typer.Option(help="File to write; if killed, the same command goes on.")] = None,
    force: ForceOption = False,
    restart: Annotated[bool, typer.Option("--restart", help="Throw away what a killed run left.")] = False,
    rate: Annotated[int | None, typer.Option(min=1, help="Of raw samples on stdin, in Hz.")] = None,
    channels: Annotated[int | None, typer.Option(min=1, help="Of raw samples on stdin; default: 1.")] = None,
    encoding: Annotated[str | None, typer.Option(help="Of raw samples on stdin, as s16le (default), f32le.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Windows scored at once.")] = 8,
    device: DeviceOption = "auto",
    trust: TrustOption = False,
    threads: Annotated[int | None, typer.Option(min=1, help="Processor threads; default: all.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Say what is heard in sounds of any kind and length.

    A sound of up to 30 s (or of one window of the model, if that is longer) gets one answer, as model.predict gives it.
    A longer one is gone through window by window, in little memory; so is what comes from a microphone or a pipe of
    samples. --whole makes it one answer for all sounds, --window or --hop makes it windows for all.
    """
    from audiosurvey.predict.options import PredictOptions

    options = PredictOptions(
        whole=whole,
        window_s=window,
        hop_s=hop,
        top=top,
        threshold=threshold,
        smooth=smooth,
        events=events,
        on=on,
        off=off,
        min_duration_s=min_duration,
        min_gap_s=min_gap,
        format="json" if as_json else format,
        scores=scores,
        output=output,
        restart=restart,
        force=force,
        rate=rate,
        channels=channels,
        encoding=encoding,
        batch_size=batch_size,
        device=device,
        threads=threads,
        trust=trust,
    )
    options.check()
    if mic == bool(paths):
        raise UserError("which sounds? give files, folders, patterns or - for stdin; or --mic alone")
    if paths and "-" in paths and len(paths) > 1:
        raise UserError("-: stdin goes alone; give files and folders in a command of their own")
    # The threads of a network that spin while they wait for each other take the processors from those that decode, and
    # a machine with other work slows down tenfold. OpenMP reads this as torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from audiosurvey.pipeline import predict as run
    from audiosurvey.report.console import share_bar

    words = ["--mic"] if mic else paths or []
    try:
        outcome = run(model, words, options, lambda line: print(line, file=sys.stderr), share_bar)
    except KeyboardInterrupt:
        print("interrupted" + ("; the same command goes on from here" if output else ""), file=sys.stderr)
        sys.exit(130)
    sys.exit(1 if outcome.failures else 0)
