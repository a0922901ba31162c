"""Commands that train and measure: train, evaluate."""

from pathlib import Path
from typing import Annotated

import typer

from audiosurvey.cli.app import (
    ConfigArgument,
    DeviceOption,
    FoldsOption,
    ForceOption,
    JsonOption,
    SetOption,
    app,
    fold_numbers,
    load_config,
    print_json,
    stdout,
)
from audiosurvey.cli.events import evaluate_events, refuse_event_options
from audiosurvey.cli.predict import Hop, MinDuration, MinGap, Off, On, Smooth, Threshold, Window
from audiosurvey.errors import UserError


@app.command()
def train(
    config: ConfigArgument,
    overrides: SetOption = None,
    run_dir: Annotated[Path | None, typer.Option(help="Run folder; default: runs/NAME-TIME.")] = None,
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
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Cross-validate, after pretraining if configured: one model per fold; results are written after each fold."""
    if resume and run_dir is None:
        raise UserError("--resume: which run? give its --run-dir")
    numbers = fold_numbers(folds)
    loaded = load_config(config, overrides)
    from audiosurvey.pipeline import TrainOptions
    from audiosurvey.pipeline import train as run
    from audiosurvey.reporting.listener import TerminalListener
    from audiosurvey.reporting.summary import print_summary

    options = TrainOptions(run_dir, numbers, resume, device, final=final, jobs=jobs, threads=threads)
    trained = run(loaded, options, TerminalListener())
    if trained is None:
        return
    if as_json:
        print_json(trained.results.as_json())
    else:
        print_summary(trained.results, stdout(), told=True)
        print(f"results: {trained.folder / 'results.json'}")
        if trained.results.final:
            print(f"final model: {trained.folder / trained.results.final.model}")


@app.command()
def evaluate(
    target: Annotated[Path, typer.Argument(metavar="RUN_OR_MODEL", help="A run folder, or a model folder in one.")],
    data: Annotated[str | None, typer.Option(help="For a model: root folder of a data set, or a config.")] = None,
    device: DeviceOption = "auto",
    conditions: Annotated[
        bool,
        typer.Option("--conditions", help="For a run: also on softer, band-limited, shorter and noisier clips."),
    ] = False,
    reverse: Annotated[bool, typer.Option(help="Evaluate in reverse order; results must not change.")] = False,
    events: Annotated[
        Path | None,
        typer.Option(help="For a model: table of events in recordings, or folder of recordings with their tables."),
    ] = None,
    window_s: Window = None,
    hop_s: Hop = None,
    threshold: Threshold = None,
    smooth: Smooth = None,
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
        bool, typer.Option("--tune", help="With --events: choose windows and thresholds, and store them in the model.")
    ] = False,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Evaluate the models of a run on their test folds, or a model on other data.

    With --events: how well a model finds events in long recordings. Windows, thresholds and events as in predict.
    """
    given = dict(locals())
    if not target.exists():
        raise UserError(f"{target}: no such folder; expected a run or a model")
    if events is not None:
        evaluate_events(target, events, given)
        return
    refuse_event_options(given)
    from audiosurvey.pipeline import evaluate as measure
    from audiosurvey.reporting.console import progress_bar
    from audiosurvey.reporting.summary import print_conditions, print_evaluation, print_summary
    from audiosurvey.runs.results.results import RunResults
    from audiosurvey.training.devices import check_device

    check_device(device)
    results = measure(target, data, device, reverse, conditions, progress_bar)
    if as_json:
        print_json(results.as_json())
    elif isinstance(results, RunResults):
        print_summary(results, stdout())
        if results.conditions:
            print_conditions(results.conditions, stdout())
    else:
        print_evaluation(results, stdout())
