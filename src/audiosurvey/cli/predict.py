"""The command predict."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from audiosurvey.cli.app import DeviceOption, ForceOption, TrustOption, app
from audiosurvey.cli.messages import command_line
from audiosurvey.errors import UserError

_Model = Annotated[str, typer.Argument(metavar="MODEL", help="A model folder, a run with one, or an exported file.")]
_Paths = Annotated[
    list[str] | None,
    typer.Argument(metavar="PATH", help='Sound files, folders (with subfolders), "patterns", or - for stdin.'),
]
_Mic = Annotated[bool, typer.Option("--mic", help="Listen to the microphone, until Ctrl-C.")]
_Whole = Annotated[bool, typer.Option("--whole", help="One prediction per sound, whatever its length.")]
Window = Annotated[float | None, typer.Option("--window", help="Predict all sounds in windows of this many seconds.")]
Hop = Annotated[
    float | None,
    typer.Option("--hop", help="Step between windows in seconds; default: a window, or half of one for events."),
]
_Top = Annotated[
    int | None, typer.Option(min=1, help="Labels per prediction; default: 3 for whole sounds in a table, else 1.")
]
Threshold = Annotated[
    str | None, typer.Option(help="Minimum score of the best class, else 'unknown'; model: the model's own thresholds.")
]
Smooth = Annotated[
    str | None, typer.Option(help="Moving average over this many windows, such as 5; median:5 for the median.")
]
RemoveBackground = Annotated[
    bool | None,
    typer.Option(
        help="Score windows by how they differ from most of the recording; default: as the model says.",
    ),
]
_Events = Annotated[
    bool | None,
    typer.Option("--events/--no-events", help="Join windows into events; default: for table, audacity and raven."),
]
On = Annotated[float | None, typer.Option(help="An event begins at this score; default: the model's, or 0.5.")]
Off = Annotated[float | None, typer.Option(help="An event ends below this score.")]
MinDuration = Annotated[float | None, typer.Option("--min-duration", min=0, help="Drop shorter events, in seconds.")]
MinGap = Annotated[float | None, typer.Option("--min-gap", min=0, help="Join events up to this far apart, in seconds.")]
_Format = Annotated[
    str | None,
    typer.Option(
        help="table, csv, json, audacity (label track) or raven (selection table); default: by the ending of --output."
    ),
]
_Scores = Annotated[
    bool | None,
    typer.Option(
        "--scores/--no-scores",
        help="With csv and json: also the scores of all labels; default: if a sound may have several labels.",
    ),
]
_Output = Annotated[Path | None, typer.Option(help="Output file; if interrupted, the same command continues.")]
_Clips = Annotated[Path | None, typer.Option(help="Also write events as sound files, with a table, into this folder.")]
_ClipsPerLabel = Annotated[
    int | None, typer.Option(min=1, help="Most clips of a label, half the best and half the lowest; default: 20.")
]
_Restart = Annotated[bool, typer.Option("--restart", help="Discard what an interrupted command left.")]
_Rate = Annotated[int | None, typer.Option(min=1, help="Sample rate of raw samples on stdin, in Hz.")]
_Channels = Annotated[int | None, typer.Option(min=1, help="Channels of raw samples on stdin; default: 1.")]
_Encoding = Annotated[str | None, typer.Option(help="Encoding of raw samples on stdin: s16le (default), f32le, ...")]
_BatchSize = Annotated[int, typer.Option(min=1, help="Windows scored at once.")]
_Threads = Annotated[int | None, typer.Option(min=1, help="Processor threads; default: all.")]
_AsJson = Annotated[bool, typer.Option("--json", help="The same as --format json.")]


@app.command()
def predict(
    model: _Model,
    paths: _Paths = None,
    mic: _Mic = False,
    whole: _Whole = False,
    window_s: Window = None,
    hop_s: Hop = None,
    top: _Top = None,
    threshold: Threshold = None,
    smooth: Smooth = None,
    remove_background: RemoveBackground = None,
    events: _Events = None,
    on: On = None,
    off: Off = None,
    min_duration_s: MinDuration = None,
    min_gap_s: MinGap = None,
    format: _Format = None,
    scores: _Scores = None,
    output: _Output = None,
    clips: _Clips = None,
    clips_per_label: _ClipsPerLabel = None,
    force: ForceOption = False,
    restart: _Restart = False,
    rate: _Rate = None,
    channels: _Channels = None,
    encoding: _Encoding = None,
    batch_size: _BatchSize = 8,
    device: DeviceOption = "auto",
    trust: TrustOption = False,
    threads: _Threads = None,
    as_json: _AsJson = False,
) -> None:
    """Predict the classes of sounds of any kind and length.

    A sound of up to 30 s (or of one window of the model, if that is longer) gets one prediction. Longer sounds, the
    microphone and raw samples on stdin are predicted window by window, in little memory. --whole gives one prediction
    for every sound, --window or --hop windows for every sound.
    """
    by_name = {".csv": "csv", ".json": "json"}.get(output.suffix.lower()) if output is not None else None
    chosen = "json" if as_json else format or by_name or "table"
    _predict(model, paths or [], mic, locals() | {"format": chosen})


def _predict(model: str, paths: list[str], mic: bool, given: dict[str, Any]) -> None:
    """`given`: the values of the options, by the names in `PredictOptions`."""
    from audiosurvey.prediction.options import PredictOptions

    options = PredictOptions(**{name: given[name] for name in PredictOptions.__dataclass_fields__})
    options.check()
    if mic == bool(paths):
        raise UserError("which sounds? give files, folders, patterns or - for stdin; or --mic alone")
    if "-" in paths and len(paths) > 1:
        raise UserError("-: stdin cannot be combined with files and folders; use separate commands")
    # Threads of the network that spin while they wait take processors from decoding, which slows down a busy machine
    # tenfold. OpenMP reads this when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from audiosurvey.prediction.prediction import predict as run
    from audiosurvey.reporting.prediction import TerminalPrediction, prediction_lines

    try:
        outcome = run(model, ["--mic"] if mic else paths, options, TerminalPrediction())
    except KeyboardInterrupt:
        again = f"; this continues: {command_line(sys.argv[1:])}" if options.output else ""
        print(f"interrupted{again}", file=sys.stderr)
        sys.exit(130)
    for line in prediction_lines(outcome):
        print(line, file=sys.stderr)
    sys.exit(1 if outcome.failures else 0)
