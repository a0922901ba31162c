"""Commands that train and measure: train, evaluate."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

import audiosurvey
from audiosurvey.cli.app import (
    ConfigArgument,
    DeviceOption,
    FoldsOption,
    ForceOption,
    GoldenClipsOption,
    JsonOption,
    SetOption,
    app,
    fold_numbers,
    print_json,
    stdout,
)
from audiosurvey.cli.events import evaluate_events, is_run, refuse_event_options, tune_run
from audiosurvey.cli.messages import command_line
from audiosurvey.cli.predict import Hop, MinDuration, MinGap, Off, On, RemoveBackground, Smooth, Threshold, Window
from audiosurvey.errors import StoppedRun, UserError


@app.command()
def train(
    config: ConfigArgument,
    overrides: SetOption = None,
    run_dir: Annotated[Path | None, typer.Option(help="Run folder; default: runs/NAME-TIME.")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Train a tenth of the epochs on one fold, to see if anything is learned.")
    ] = False,
    more: Annotated[
        int | None,
        typer.Option(
            min=1, help="Go on with a finished run, given as CONFIG, for so many epochs, in a new run folder."
        ),
    ] = None,
    folds: FoldsOption = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in --run-dir.")] = False,
    final: Annotated[
        bool, typer.Option("--final", help="Then train one model on all folds, for deployment: RUN/model.")
    ] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Folds trained in parallel, each with its share of the cores.")] = 1,
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="Processor threads of all jobs; changes the last digits of results."),
    ] = None,
    detection: Annotated[
        bool,
        typer.Option(
            "--detection/--no-detection",
            help="With --final: choose how events are found in long recordings, on soundscapes made of the clips.",
        ),
    ] = True,
    golden_clips: GoldenClipsOption = True,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Cross-validate, after pretraining if configured: one model per fold; results are written after each fold."""
    if resume and run_dir is None:
        raise UserError("--resume: which run? give its --run-dir")
    given = dict(locals())
    numbers = fold_numbers(folds)
    try:
        run = audiosurvey.train(
            config,
            overrides or (),
            run_dir=run_dir,
            folds=numbers,
            quick=quick,
            more=more,
            resume=resume,
            final=final,
            detection=detection,
            golden_clips=golden_clips,
            device=device,
            jobs=jobs,
            threads=threads,
            progress=True,
        )
    except StoppedRun as stop:
        again = "" if quick else f"; this continues: {command_line(_resuming(stop.folder, given))}"
        print(f"interrupted{again}", file=sys.stderr)
        sys.exit(130)
    from audiosurvey.training.devices import is_first_process

    if not is_first_process():
        # Of several processes one prints.
        return
    if as_json:
        print_json(run.results.as_json())
        return
    from audiosurvey.reporting.summary import print_summary

    print_summary(run.results, stdout(), told=True)
    if quick:
        from audiosurvey.reporting.quick import quick_line

        print(quick_line(run.path, run.results))
    print(f"results: {run.path / 'results.json'}")
    if run.results.final:
        print(f"final model: {run.path / run.results.final.model}")
        print(f"next: {command_line(['predict', run.path])} SOUNDS")
    elif not quick and run.results.done == run.results.all_folds:
        words = ["train", run.path / "config.yaml", "--run-dir", run.path, "--resume", "--final"]
        print(f"next, a model to use: {command_line(words)}")


def _resuming(folder: Path, given: Mapping[str, Any]) -> list[object]:
    """The words of the command that continues the run in `folder`. `given`: the options of `train`."""
    words: list[object] = ["train"]
    if given["more"] is not None:
        # Its config is that of the run that it continues, with what was overridden.
        words.append(folder / "config.yaml")
    else:
        words.append(given["config"])
        for override in given["overrides"] or ():
            words += ["--set", override]
    words += ["--run-dir", folder, "--resume"]
    for name in ("folds", "threads"):
        words += [] if given[name] is None else [f"--{name}", given[name]]
    words += ["--jobs", given["jobs"]] if given["jobs"] != 1 else []
    words += ["--device", given["device"]] if given["device"] != "auto" else []
    flags = {
        "--final": given["final"],
        "--no-detection": not given["detection"],
        "--no-golden-clips": not given["golden_clips"],
        "--json": given["as_json"],
    }
    return words + [flag for flag, is_given in flags.items() if is_given]


@app.command()
def evaluate(
    target: Annotated[Path, typer.Argument(metavar="RUN_OR_MODEL", help="A run folder, or a model folder in one.")],
    data: Annotated[str | None, typer.Option(help="For a model: root folder of a data set, or a config.")] = None,
    device: DeviceOption = "auto",
    conditions: Annotated[
        bool,
        typer.Option("--conditions", help="For a run: also on softer, band-limited, shorter and noisier clips."),
    ] = False,
    other: Annotated[
        Path | None,
        typer.Option(help="Folder or CSV table of sounds of none of the classes: how well they are told apart."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="Folder for predictions.csv, classes.csv, mixed_up.csv and confusion.png."),
    ] = None,
    reverse: Annotated[
        bool, typer.Option("--reverse", hidden=True, help="Evaluate in reverse order; results must not change.")
    ] = False,
    events: Annotated[
        Path | None,
        typer.Option(help="For a model: table of events in recordings, or folder of recordings with their tables."),
    ] = None,
    window_s: Window = None,
    hop_s: Hop = None,
    threshold: Threshold = None,
    smooth: Smooth = None,
    remove_background: RemoveBackground = None,
    on: On = None,
    off: Off = None,
    min_duration_s: MinDuration = None,
    min_gap_s: MinGap = None,
    onset_s: Annotated[float | None, typer.Option("--onset", help="Tolerance of starts in seconds; 1.5.")] = None,
    offset_share: Annotated[
        float | None, typer.Option(help="Tolerance of ends, as a fraction of the length; default: any.")
    ] = None,
    segment_s: Annotated[float | None, typer.Option("--segment", help="Length of a segment in seconds; 1.")] = None,
    picture: Annotated[
        Path | None, typer.Option(help="PNG file with the worst recordings: true events above those found.")
    ] = None,
    tune: Annotated[
        bool,
        typer.Option(
            "--tune",
            help="With --events: choose windows and thresholds, and store them in the model. For a run: for all of its "
            "models, on soundscapes made of its clips.",
        ),
    ] = False,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Evaluate the models of a run on their test folds, or a model on other data: which classes are mixed up.

    With --events: how well a model finds events in long recordings. Windows, thresholds and events as in predict.
    """
    given = dict(locals())
    if not target.exists():
        raise UserError(f"{target}: no such folder; expected a run or a model")
    if events is not None:
        evaluate_events(target, events, given)
        return
    if tune and is_run(target):
        tune_run(target, given)
        return
    refuse_event_options(given)
    results = audiosurvey.evaluate(
        target,
        data,
        device=device,
        conditions=conditions,
        other=other,
        reverse=reverse,
        output=output,
        force=force,
        progress=True,
    )
    more = "" if output is None else f"; all are in {output / 'classes.csv'}"
    from audiosurvey.reporting.summary import print_conditions, print_evaluation, print_summary
    from audiosurvey.runs.results.results import RunResults

    if as_json:
        print_json(results.as_json())
    elif isinstance(results, RunResults):
        print_summary(results, stdout(), more=more)
        if results.conditions:
            print_conditions(results.conditions, stdout())
    else:
        print_evaluation(results, stdout(), more=more)
    if output is not None:
        from audiosurvey.reporting.evaluation_files import FILES

        print(f"wrote {', '.join(FILES)} in {output}", file=sys.stderr)
