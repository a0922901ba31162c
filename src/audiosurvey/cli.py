"""The command line: words to calls. Stages are imported inside the commands, so that --help does not wait for torch.

Exit status: 0 done; 1 done, but something failed or was found; 2 a user's mistake, in one clear line on stderr.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from audiosurvey.errors import UserError
from audiosurvey.version import __version__

if TYPE_CHECKING:
    from audiosurvey.config.loader import LoadedConfig

app = typer.Typer(
    name="audiosurvey",
    help="Train, compare and ship audio classifiers from one YAML file.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ConfigArgument = Annotated[
    str, typer.Argument(metavar="CONFIG", help="A config file, or the name of a shipped preset.")
]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a key; may be given several times.")
]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON alone on stdout.")]


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        print(__version__)
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command()
def init(
    path: Annotated[Path, typer.Argument(help="Where to write the config.")] = Path("config.yaml"),
    dataset: Annotated[str, typer.Option(help="esc50, urbansound8k, folder, csv or toy.")] = "esc50",
    preset: Annotated[str | None, typer.Option(help="Architecture to start from; see 'audiosurvey presets'.")] = None,
    force: Annotated[bool, typer.Option(help="Overwrite an existing file.")] = False,
) -> None:
    """Write a commented starter config."""
    from audiosurvey.config.starter import starter

    text = starter(dataset, preset)
    if path.is_dir():
        raise UserError(f"init {path}: is a folder; give the path of a file")
    if path.exists() and not force:
        raise UserError(f"{path}: already there; give another name, or --force to overwrite it")
    if not path.absolute().parent.is_dir():
        raise UserError(f"{path}: the folder {path.parent} is missing")
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"init {path}: cannot be written ({error.strerror}); give another path") from None
    print(f"wrote {path}; next: audiosurvey check {path}")


@app.command()
def check(
    config: Annotated[str | None, typer.Argument(metavar="CONFIG", help="A config file, or a preset's name.")] = None,
    overrides: SetOption = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of the config instead.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Validate a config and print it with every value resolved."""
    if schema:
        if config is not None or overrides:
            raise UserError("check --schema: prints what every config may hold, and reads none; leave CONFIG out")
        from audiosurvey.config.schema import schema_text

        print(schema_text(), end="")
        return
    if config is None:
        raise UserError("check: which config? give a file or a preset's name, or --schema")
    loaded = _load(config, overrides)
    if as_json:
        _print_json(loaded.config.model_dump(mode="json"))
    else:
        print(loaded.resolved_yaml(), end="")


@app.command()
def describe(
    config: ConfigArgument,
    overrides: SetOption = None,
    classes: Annotated[
        int | None, typer.Option(min=1, help="Number of classes; from the data set where absent.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Print the layers of the network: shapes, parameters, MACs, receptive field."""
    loaded = _load(config, overrides)
    from audiosurvey.data.dataset import builtin_classes, load_table
    from audiosurvey.model.describe import table_rows
    from audiosurvey.pipeline import describe_model, dump_description

    if classes is None:
        names = builtin_classes(loaded.config.dataset)
        classes = len(names if names is not None else load_table(loaded.config.dataset).classes)
    description = describe_model(loaded.config, classes)
    if as_json:
        _print_json(dump_description(description))
        return
    from rich.table import Table

    heading, *rows, total = table_rows(description)
    table = Table(
        title=f"{config}, {classes} classes, input {' x '.join(map(str, description.input_shape))}", show_footer=True
    )
    for index, title in enumerate(heading):
        table.add_column(title, footer=total[index], justify="left" if index == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*row)
    _out().print(table)


@app.command()
def download(
    name: Annotated[str, typer.Argument(help="esc50 or urbansound8k.")],
    root: Annotated[Path | None, typer.Option(help="Where to put it; default: where configs look for it.")] = None,
    url: Annotated[str | None, typer.Option(help="A mirror of the archive; it is verified all the same.")] = None,
) -> None:
    """Download a data set: resumable, verified, atomic."""
    from audiosurvey.data.dataset import DatasetConfig
    from audiosurvey.data.download import PUBLISHED
    from audiosurvey.data.download import download as fetch
    from audiosurvey.report.console import progress_bar

    if name not in PUBLISHED:
        raise UserError(f"{name}: not a data set that can be downloaded; choose one of {', '.join(PUBLISHED)}")
    target = root or DatasetConfig.model_validate({"name": name}).resolved_root()
    with progress_bar(f"downloading {name}") as moved:
        done = fetch(name, target, url=url, progress=moved)
    print(done.text)


@app.command()
def prepare(
    config: ConfigArgument,
    overrides: SetOption = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Decoding threads; default: one a processor.")] = None,
) -> None:
    """Decode and resample the data set once, into the store that training reads."""
    loaded = _load(config, overrides)
    from audiosurvey.data.sounds import prepare_sounds
    from audiosurvey.report.console import progress_bar

    dataset = loaded.config.dataset
    with progress_bar(f"preparing {dataset.name}") as moved:
        sounds = prepare_sounds(dataset, loaded.config.sample_rate, workers=workers, progress=moved)
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
) -> None:
    """Render what augmentation makes of a clip: WAV before and after, a picture, and what was drawn."""
    if any(place.exists() and not place.is_dir() for place in (output, *output.parents)):
        raise UserError(f"--output {output}: is a file, or lies in one; give a folder to write into")
    loaded = _load(config, overrides)
    from audiosurvey.pipeline import preview as render

    for path in render(loaded, clip or [], epoch or [1], output):
        print(path)


@app.command()
def train(
    config: ConfigArgument,
    overrides: SetOption = None,
    run_dir: Annotated[Path | None, typer.Option(help="Run folder; default: runs/NAME-TIME.")] = None,
    folds: Annotated[str | None, typer.Option(help="Folds to train, such as 1,2; default: all.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --run-dir.")] = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Pretrain if asked to, then cross-validate: one model a fold, results written as each fold ends."""
    if resume and run_dir is None:
        raise UserError("--resume: which run? give its --run-dir")
    numbers = _folds(folds)
    loaded = _load(config, overrides)
    from audiosurvey.pipeline import TrainOptions
    from audiosurvey.pipeline import train as run
    from audiosurvey.report.console import STDERR
    from audiosurvey.report.summary import print_summary

    options = TrainOptions(run_dir, numbers, resume, device)
    outcome = run(loaded, options, lambda line: STDERR.print(line, soft_wrap=True, markup=False))
    if outcome is None:
        return
    results, path = outcome
    if as_json:
        _print_json(results)
    else:
        print_summary(results, _out(), told=True)
        print(f"results: {path / 'results.json'}")


@app.command()
def evaluate(
    target: Annotated[Path, typer.Argument(metavar="RUN_OR_MODEL", help="A run folder, or a model folder in one.")],
    data: Annotated[str | None, typer.Option(help="For a model: root folder of a data set, or a config.")] = None,
    device: DeviceOption = "auto",
    reverse: Annotated[bool, typer.Option(help="Go through the batches backwards; nothing may change.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Evaluate a run's models on their own test folds, or a model on other data."""
    if not target.is_dir():
        raise UserError(f"{target}: no such folder; expected a run or a model")
    from audiosurvey.pipeline import evaluate as measure
    from audiosurvey.report.summary import print_evaluation, print_summary
    from audiosurvey.training.devices import check_device

    check_device(device)
    results = measure(target, data, device, reverse)
    if as_json:
        _print_json(results)
    elif "folds" in results:
        print_summary(results, _out())
    else:
        print_evaluation(results, _out())


@app.command()
def presets() -> None:
    """List the shipped configs."""
    from audiosurvey.config.presets import preset_names, preset_text

    for name in preset_names():
        first = preset_text(name).splitlines()[0]
        print(f"{name:<24}{first.removeprefix('#').strip() if first.startswith('#') else ''}")


def main() -> None:
    """Runs the command line; a user's mistake ends with its lines and status 2."""
    try:
        status = app(standalone_mode=False)
        if status == _INTERRUPTED:
            print("interrupted; a run goes on with --resume", file=sys.stderr)
        sys.exit(status)
    except UserError as error:
        _fail(error.lines)
    except _UsageError as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "audiosurvey"
        _fail([f"{command}: {_one_line(error.format_message())} ('{command} --help' tells what there is)"])
    except BrokenPipeError:
        # The reader of our output (head, less) has gone; nobody is left to tell.
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        _fail([f"{error.filename}: {error.strerror}" if error.filename else str(error)])


_INTERRUPTED = 130
"""What typer makes of Ctrl-C."""
# The base of typer's complaints about what stands on the command line; typer does not export it by name.
_UsageError: Any = typer.BadParameter.__base__


def _fail(lines: Sequence[str]) -> NoReturn:
    for line in lines:
        print(line, file=sys.stderr)
    sys.exit(2)


def _one_line(message: str) -> str:
    """A complaint of typer's as one clause: its second sentence joined on, its words for a broken range ours."""
    words = " ".join(message.split()).rstrip(".")
    words = words.replace(". Did you mean", "; did you mean").replace("Input should be", "must be")
    words = words.replace("greater than or equal to", "at least").replace("less than or equal to", "at most")
    return words[:1].lower() + words[1:]


def _load(config: str, overrides: list[str] | None) -> "LoadedConfig":
    from audiosurvey.config.loader import load_config

    loaded = load_config(config, overrides or ())
    for line in loaded.warnings:
        print(f"warning: {line}", file=sys.stderr)
    return loaded


def _folds(text: str | None) -> list[int] | None:
    if text is None:
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise UserError(f"--folds {text}: expected numbers with commas between them, such as 1,2") from None


def _out() -> Any:
    from rich.console import Console

    return Console(highlight=False)


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))
